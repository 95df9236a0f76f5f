"""A hub whose database another program has locked."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def stored(hub_maker: Any, hub_config: Any, issuer: Any, tmp_path: Path) -> Any:
    """A hub with a database file and a user logged in, which waits for a lock as the shipped configuration does."""
    hub_config.JupyterHub.db_url = f"sqlite:///{tmp_path}/hub.sqlite"
    hub_config.JupyterHub.db_kwargs = {"connect_args": {"check_same_thread": False, "timeout": 0.05}}
    hub = await hub_maker(hub_config)
    await hub.login(issuer.mint())
    await hub.request("/hub/home")
    return hub


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
async def test_requests_fail_with_a_sentence_while_the_database_is_locked(
    stored: Any, issuer: Any, all_logs: Any, tmp_path: Path, lock: str
) -> None:
    """Logins are 503 during the lock, requests without the database are served, and the hub recovers by itself."""
    other = sqlite3.connect(tmp_path / "hub.sqlite")
    other.execute(f"BEGIN {lock}")

    later = issuer.mint(iat=time.time() + 3)  # recorded in the database as the user's latest token
    logins = [await stored.login(later) for _ in range(2)]
    health = await stored.request("/hub/health", cookies=False)
    other.rollback()
    other.close()
    after = await stored.login(issuer.mint())

    assert [answer.code for answer in logins] == [503, 503]
    assert b"database is busy" in logins[0].body
    assert logins[0].headers["Retry-After"] == "10"
    assert health.code == 200
    assert after.code == 302
    assert (await stored.request("/hub/home")).code == 200
    assert "Uncaught exception" not in all_logs.text
