"""Where the form and the REST API start a server: JupyterHub's own handlers, which look at a request before the spawn.

JupyterHub applies the options inside the spawn and waits for that only for slow_spawn_timeout: a hub that is busy would
answer 202, and refuse afterwards, when nobody reads it. And it fails with status 500 when two requests for a server
come so close together that it looks at both before the first spawn begins.
"""

from typing import Any

from jupyterhub import apihandlers, handlers  # type: ignore[import-untyped]
from jupyterhub.apihandlers.users import UserServerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.handlers.pages import SpawnHandler  # type: ignore[import-untyped]


class OneSpawn:
    """What both handlers have: requests for a server that somebody else has started meanwhile are content with that."""

    async def spawn_single_user(
        self,
        user: Any,  # noqa: ANN401 - JupyterHub is not annotated
        server_name: str = "",
        *args: Any,  # noqa: ANN401 - JupyterHub 5 and 6 differ in what comes here
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Start the server, unless it starts already."""
        try:
            await super().spawn_single_user(user, server_name, *args, **kwargs)  # type: ignore[misc]
        except RuntimeError:  # JupyterHub's word for a server that is pending
            if user.spawners[server_name].pending != "spawn":
                raise


class SpawnPageHandler(OneSpawn, SpawnHandler):  # type: ignore[misc]
    """The form's POST starts a server; two clicks start one."""


class SpawnRequestHandler(OneSpawn, UserServerAPIHandler):  # type: ignore[misc]
    """POST starts a server if its options are possible, and is answered with 400 and a sentence if they are not."""

    async def spawn_single_user(
        self,
        user: Any,  # noqa: ANN401 - JupyterHub is not annotated
        server_name: str = "",
        *args: Any,  # noqa: ANN401
        options: object = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Check the options, then start the server."""
        check = getattr(user.spawners[server_name], "check_options", None)
        if check is not None:
            await check(options)
        await super().spawn_single_user(user, server_name, *args, options=options, **kwargs)


def install() -> None:
    """Put these handlers before JupyterHub's, once, at the same paths."""
    _put_before(handlers.default_handlers, SpawnHandler, SpawnPageHandler)
    _put_before(apihandlers.default_handlers, UserServerAPIHandler, SpawnRequestHandler)


def _put_before(table: list[tuple[str, type]], theirs: type, ours: type) -> None:
    if not any(handler is ours for _, handler in table):
        table[:0] = [(path, ours) for path, handler in table if handler is theirs]
