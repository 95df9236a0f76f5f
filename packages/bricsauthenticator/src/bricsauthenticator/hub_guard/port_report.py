"""The handler of a job's report of its port, which accepts a port and nothing else.

It takes the place of batchspawner's handler. That one sets any attribute of the caller's spawner from the request, so
a job could choose the next command that the hub runs.
"""

import json
from typing import Any

from jupyterhub.apihandlers import APIHandler  # type: ignore[import-untyped]
from tornado import web

PATH = r"/api/batchspawner"
LOWEST_PORT = 1024
HIGHEST_PORT = 65535
HUB_PORTS = frozenset({8000, 8001, 8081})

NOT_A_PORT = "The report must be an unprivileged port and nothing else."


class PortReportHandler(APIHandler):  # type: ignore[misc]
    """POST `{"port": N}` with the server's own token, once, while the server is starting."""

    @web.authenticated
    def post(self) -> None:
        """Set the port of the caller's spawner."""
        spawner = self._find_spawner()
        port = read_port(self.get_json_body())
        if port is None:
            notice = getattr(spawner, "notice_refused_report", None)
            if notice is not None:
                notice(NOT_A_PORT)
            raise web.HTTPError(400, NOT_A_PORT)
        if spawner.pending != "spawn" or spawner.port not in (0, port):
            raise web.HTTPError(409, "The server is not waiting for its port.")
        spawner.port = port
        self.set_status(201)
        self.finish(json.dumps({"message": "BatchSpawner data configured"}))

    def _find_spawner(self) -> Any:  # noqa: ANN401 - JupyterHub is not annotated
        token = self.get_auth_token()
        spawners = getattr(self.current_user, "spawners", {})
        for spawner in spawners.values():
            if token and spawner.api_token == token:
                return spawner
        raise web.HTTPError(403, "Only a server's own token may report its port.")


def read_port(body: object) -> int | None:
    """Return the port of a report, or None when the report is not exactly one acceptable port."""
    if not isinstance(body, dict) or set(body) != {"port"}:
        return None
    port = body["port"]
    if not isinstance(port, int) or isinstance(port, bool) or not LOWEST_PORT <= port <= HIGHEST_PORT:
        return None
    return None if port in HUB_PORTS else port
