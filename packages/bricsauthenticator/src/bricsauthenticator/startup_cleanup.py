"""Cancellation of jobs without a server, after the start of the hub."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]

from bricsauthenticator import orphans, pending_cancellations

CHECK_INTERVAL_S = 1.0
_tasks: set[asyncio.Task[None]] = set()


def run_when_up() -> None:
    """Continue the previous hub's cancellations and search for orphan jobs.

    The work starts when the hub is up, and continues until the hub stops.

    Outside of an event loop, as when a configuration is only read, nothing happens.
    """
    with suppress(RuntimeError):
        task = asyncio.get_running_loop().create_task(_run_when_up())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _run_when_up() -> None:
    while not JupyterHub.initialized() or JupyterHub.instance().http_server is None:  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(CHECK_INTERVAL_S)
    app = JupyterHub.instance()
    continue_cancellations(app.db, app.users)
    await orphans.watch(app)


def continue_cancellations(database: Any, users: Mapping[Any, Any]) -> None:  # noqa: ANN401 - an SQLAlchemy session
    """Create the spawners whose state has jobs to cancel.

    A spawner cancels them when it loads its state.

    JupyterHub creates spawners for running servers. The servers here were given up, and their users may never return.
    """
    for row in database.query(orm.Spawner).filter(orm.Spawner.server == None):  # noqa: E711 - SQLAlchemy's own way
        if pending_cancellations.from_state(row.state) or {"job_id", "job_key"} & set(row.state or {}):
            users[row.user].spawners[row.name]
