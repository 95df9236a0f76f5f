"""The hub's API accepts neither logins nor cookies from users' servers."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from hubpod.components.assembly import instance_spec
from hubpod.environments import find_environment
from support.sites import PASSWORD, load_hub_configuration, site

PROXY, NODE = "127.0.0.1", "127.0.0.2"
OK, FORBIDDEN = 200, 403
COOKIE = "jupyterhub-hub-login"
FORGED = [
    {},
    {"X-Forwarded-For": PROXY},
    {"X-Real-Ip": PROXY},
    {"X-Forwarded-For": f"{PROXY}, {PROXY}", "X-Forwarded-Host": "hub.example.org", "X-Forwarded-Proto": "https"},
    {"Forwarded": f"for={PROXY}", "Host": PROXY},
]


class Login(RequestHandler):
    """A login with a valid password, as JupyterHub calls its authenticator."""

    def initialize(self, authenticator: Any) -> None:
        """Store the authenticator."""
        self.authenticator = authenticator

    async def post(self) -> None:
        """Log in."""
        data = {"username": "testuser", "password": PASSWORD}
        self.write(await self.authenticator.get_authenticated_user(self, data) or {})

    async def get(self) -> None:
        """Return the cookie that the handler sees."""
        self.write({"name": self.get_cookie(COOKIE, "")})

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer with the status only."""
        self.set_status(status_code)


@pytest.fixture(params=["dev_dummyauth", "dev_dummyauth_extslurm"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """The port of a server with an environment's authenticator.

    The server trusts headers as the hub does.
    """
    pod = instance_spec(site(find_environment(request.param)))
    config = load_hub_configuration(pod, tmp_path)
    authenticator = config.JupyterHub.authenticator_class(config=config)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    (socket,) = bind_sockets(0, PROXY)

    async def serve() -> None:
        application = Application(
            [("/", Login, {"authenticator": authenticator})], **config.JupyterHub.tornado_settings
        )
        HTTPServer(application, xheaders=True).add_socket(socket)
        await stop.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    yield socket.getsockname()[1]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def log_in(port: int, source: str, headers: dict[str, str], method: str = "POST") -> tuple[int, str]:
    """Log in from an address, and return status and name."""
    connection = http.client.HTTPConnection(PROXY, port, timeout=30, source_address=(source, 0))
    connection.request(method, "/", headers=headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content)["name"] if content else ""


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: " ".join(headers) or "none")
def test_a_login_must_come_through_the_proxy(hub: int, headers: dict[str, str]) -> None:
    """A valid login that does not come from the proxy is refused."""
    assert log_in(hub, PROXY, {"X-Forwarded-For": "198.51.100.7"}) == (OK, "testuser")
    assert log_in(hub, NODE, headers) == (FORBIDDEN, "")


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: " ".join(headers) or "none")
def test_a_cookie_must_come_through_the_proxy(hub: int, headers: dict[str, str]) -> None:
    """A cookie that does not come from the proxy is ignored."""
    sent = {**headers, "Cookie": f"other=1; {COOKIE}=ada"}

    assert log_in(hub, PROXY, sent, "GET") == (OK, "ada")
    assert log_in(hub, NODE, sent, "GET") == (OK, "")
