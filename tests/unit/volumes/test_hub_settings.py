"""Settings of the hub that show in what it does with its database, pages and proxy."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from jupyterhub import dbutil, orm  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from sqlalchemy import text

from hubpod.components.assembly import instance_spec
from hubpod.environments import find_environment
from support.sites import load_hub_configuration, site

REASON = "The job ran out of memory."
PROXY_RECOVERY_S = 10
"""Seconds within which a proxy that was killed has its routes again."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub of an environment, with its database in a directory of the test."""
    config = load_hub_configuration(instance_spec(site(find_environment("dev_dummyauth"))), tmp_path / "configuration")
    config.JupyterHub.db_url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    app = JupyterHub(config=config)
    # The hub runs alembic, which is beside its own Python.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    return app


def write_older_database(url: str) -> str:
    """Create a database with a user, as the previous release of JupyterHub left it; return its revision."""
    session = orm.new_session_factory(url)()
    session.add(orm.User(name="ada"))
    session.commit()
    session.close()
    with dbutil._temp_alembic_ini(url) as settings:
        subprocess.run([sys.executable, "-m", "alembic", "-c", settings, "downgrade", "-1"], check=True)
    session = orm.create_engine(url).connect()
    revision = str(session.execute(text("select version_num from alembic_version")).scalar())
    session.close()
    return revision


def test_a_database_of_an_older_jupyterhub_is_upgraded(hub: Any, tmp_path: Path) -> None:
    """The hub of a new image starts with the users of the old one, after a copy of the database."""
    old = write_older_database(hub.db_url)

    hub.init_db()

    assert [user.name for user in hub.db.query(orm.User)] == ["ada"]
    assert hub.db.execute(text("select version_num from alembic_version")).scalar() != old
    hub.db.close()
    assert [path for path in tmp_path.iterdir() if re.fullmatch(r"hub\.sqlite\..+", path.name)]


def test_the_page_of_a_stopped_server_states_why(hub: Any) -> None:
    """The hub finds our page before JupyterHub's own, which states no reason."""
    # JupyterHub's loaders: its own page has a prefix, by which ours extends it.
    own = jinja2.DictLoader({"templates/not_running.html": "{% block message %}Launch it?{% endblock %}"})
    loader = jinja2.ChoiceLoader([own, jinja2.FileSystemLoader(hub.template_paths)])
    page = jinja2.Environment(loader=loader, autoescape=True).get_template("not_running.html")
    user = SimpleNamespace(spawners={"": SimpleNamespace(ended=REASON)})

    assert REASON in page.render(user=user, server_name="", failed=False)


def test_a_new_proxy_soon_has_all_routes(hub: Any) -> None:
    """A proxy that restarts has no routes; the hub restores them when it fetches the last activities."""
    assert 0 < hub.last_activity_interval < PROXY_RECOVERY_S
