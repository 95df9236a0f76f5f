"""What a hub does for jobs when it has started: it ends those that nobody else ends any more."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]

from bricsauthenticator import orphans, pending_cancellations

LOOK_AGAIN_S = 1.0
_tasks: set[asyncio.Task[None]] = set()


def end_leftovers_when_up() -> None:
    """Wait for the hub that is starting, end its predecessor's leftovers, and look for orphans while it runs.

    Nothing happens when a configuration is only read.
    """
    with suppress(RuntimeError):
        task = asyncio.get_running_loop().create_task(_when_up())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


async def _when_up() -> None:
    while not JupyterHub.initialized() or JupyterHub.instance().http_server is None:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(LOOK_AGAIN_S)
    app = JupyterHub.instance()
    end_leftovers(app.db, app.users)
    await orphans.watch(app)


def end_leftovers(database: Any, users: Mapping[Any, Any]) -> None:  # noqa: ANN401 - a session of SQLAlchemy's
    """Make the spawners whose state in the database has jobs that must end; they go on ending them by themselves.

    JupyterHub makes spawners for servers that run. Those here were given up, and their people may never come back.
    """
    for row in database.query(orm.Spawner).filter(orm.Spawner.server == None):  # noqa: E711 - SQLAlchemy's own way
        if pending_cancellations.in_state(row.state) or {"job_id", "job_key"} & set(row.state or {}):
            users[row.user].spawners[row.name]
