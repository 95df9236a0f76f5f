"""Where the REST API starts a server: JupyterHub's own handler, which looks at the options before it answers.

JupyterHub applies the options inside the spawn and waits for that only for slow_spawn_timeout. A hub that is busy would
answer 202, and refuse afterwards, when nobody reads it.
"""

from typing import Any

from jupyterhub.apihandlers import default_handlers  # type: ignore[import-untyped]
from jupyterhub.apihandlers.users import UserServerAPIHandler  # type: ignore[import-untyped]


class SpawnRequestHandler(UserServerAPIHandler):  # type: ignore[misc]
    """POST starts a server if its options are possible, and is answered with 400 and a sentence if they are not."""

    async def spawn_single_user(
        self,
        user: Any,  # noqa: ANN401 - JupyterHub is not annotated
        server_name: str = "",
        *args: Any,  # noqa: ANN401 - JupyterHub 5 and 6 differ in what comes here
        options: object = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Check the options, then start the server."""
        check = getattr(user.spawners[server_name], "check_options", None)
        if check is not None:
            await check(options)
        await super().spawn_single_user(user, server_name, *args, options=options, **kwargs)


def install() -> None:
    """Put this handler before JupyterHub's, once, at the same paths."""
    if not any(handler is SpawnRequestHandler for _, handler in default_handlers):
        paths = [path for path, handler in default_handlers if handler is UserServerAPIHandler]
        default_handlers[:0] = [(path, SpawnRequestHandler) for path in paths]
