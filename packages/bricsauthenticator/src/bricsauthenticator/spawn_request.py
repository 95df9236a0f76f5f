"""The handlers of requests for a server, which check a request before the spawn begins.

JupyterHub applies the options inside the spawn and waits for the spawn only until slow_spawn_timeout: a busy hub would
answer 202 and refuse later, when no client reads it. It also fails with status 500 when two requests for a server
arrive so close together that it checks both before the first spawn begins.
"""

from typing import Any

from jupyterhub.apihandlers.users import UserServerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.handlers.pages import SpawnHandler  # type: ignore[import-untyped]


class OneSpawn:
    """Mixin that accepts a request for a server that another request has just started."""

    async def spawn_single_user(
        self,
        user: Any,  # noqa: ANN401 - JupyterHub is not annotated
        server_name: str = "",
        *args: Any,  # noqa: ANN401 - JupyterHub 5 and 6 differ in these
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Start the server, unless it is starting already."""
        try:
            await super().spawn_single_user(user, server_name, *args, **kwargs)  # type: ignore[misc]
        except RuntimeError:  # JupyterHub raises it for a pending server
            if user.spawners[server_name].pending != "spawn":
                raise


class SpawnPageHandler(OneSpawn, SpawnHandler):  # type: ignore[misc]
    """The form's POST, which starts one server even after two clicks."""


class SpawnRequestHandler(OneSpawn, UserServerAPIHandler):  # type: ignore[misc]
    """POST starts a server if its options are possible, and else returns 400 with a sentence."""

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
