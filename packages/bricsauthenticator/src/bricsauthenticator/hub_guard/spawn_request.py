"""The handlers of requests for a server, which check a request before the spawn begins.

JupyterHub applies the options inside the spawn and waits for the spawn only until slow_spawn_timeout: a busy hub would
answer 202 and refuse later, when no client reads it. It also fails with status 500 when two requests for a server
arrive so close together that it checks both before the first spawn begins.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jupyterhub.apihandlers.users import UserServerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.handlers.pages import SpawnHandler  # type: ignore[import-untyped]

PAGE_PARAMETERS = ("next", "display_name")  # JupyterHub's own ones


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
    """The form, whose POST starts one server even after two clicks.

    Attributes:
        prefilled: The options in the query of a link to the form, by name.
    """

    prefilled: Mapping[str, str] = MappingProxyType({})

    def get(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - JupyterHub is not annotated
        """Show the form, filled in with the options of the query.

        JupyterHub would start a server with them, so that a link or an image on any site could.
        """
        query = self.request.query_arguments
        options = {name: query.pop(name)[-1].decode() for name in list(query) if name not in PAGE_PARAMETERS}
        self.prefilled = {name.removeprefix("opt-"): value for name, value in options.items()}
        return super().get(*args, **kwargs)


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
