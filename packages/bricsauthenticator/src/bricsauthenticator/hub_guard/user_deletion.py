"""The handler that deletes a user, servers that are starting included.

JupyterHub's own handler stops a default server that is ready, and answers 500 while any other server is active.
"""

import asyncio
from contextlib import suppress
from typing import Any

from jupyterhub.apihandlers.users import UserAPIHandler  # type: ignore[import-untyped]
from jupyterhub.scopes import needs_scope  # type: ignore[import-untyped]
from tornado import web

CANCEL_TIMEOUT_S = 5.0
CHECK_INTERVAL_S = 0.05


class UserDeletionHandler(UserAPIHandler):  # type: ignore[misc]
    """DELETE stops all servers of the user first."""

    @needs_scope("delete:users")  # type: ignore[untyped-decorator]
    async def delete(self, user_name: str) -> None:
        """Stop the user's servers, then delete the user."""
        user = self.find_user(user_name)
        if user is not None and user.name != self.current_user.name:
            for spawner in list(user.spawners.values()):
                if spawner.active:
                    await self._stop(user, spawner)
        await super().delete(user_name)

    async def _stop(self, user: Any, spawner: Any) -> None:  # noqa: ANN401 - JupyterHub is not annotated
        if spawner.pending == "spawn" and spawner._spawn_future is not None:  # noqa: SLF001 - as JupyterHub's handlers do
            spawner._spawn_future.cancel()  # noqa: SLF001
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_TIMEOUT_S):
                while spawner.pending:  # noqa: ASYNC110 - JupyterHub announces no end of a pending event
                    await asyncio.sleep(CHECK_INTERVAL_S)
        if not spawner.pending:
            await self.stop_single_user(user, spawner.name)
        if spawner.active:
            raise web.HTTPError(400, f"A server of {user.name} is still stopping. Please try again in a moment.")
