"""What the pages of one user's server can do in the browser of another user who opens them."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from hubpod.client.browser import direct_session
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.page_scripts import REGISTER_WORKER
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

HEADER = "X-Auth-Id-Token"
OWNER = "owner-of-a-page"
FORBIDDEN, BAD = 403, 400
SERVE = """
import os, pathlib, sys, json
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

prefix = sys.argv[1]
token = pathlib.Path("/etc/hubpod/credentials/env/CONFIGPROXY_AUTH_TOKEN").read_text()


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        is_script = self.path.endswith(".js")
        body = b"self.addEventListener('fetch', () => {})" if is_script else b"<!doctype html><title>a page</title>"
        self.send_response(200)
        for name, value in {
            "Content-Type": "text/javascript" if is_script else "text/html",
            "Content-Length": str(len(body)),
            "Service-Worker-Allowed": "/",
            "Cross-Origin-Opener-Policy": "same-origin",
            "NEL": '{"report_to": "here", "max_age": 60, "success_fraction": 1}',
            "Report-To": '{"group": "here", "max_age": 60, "endpoints": [{"url": "https://example.org"}]}',
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
api = HTTPConnection("127.0.0.1", 8001, timeout=10)
target = json.dumps({"target": f"http://127.0.0.1:{server.server_port}"})
api.request("POST", f"/api/routes{prefix}", target, {"Authorization": f"token {token}"})
assert api.getresponse().status == 201
if pid := os.fork():
    print(pid)
else:
    os.setsid()
    for descriptor in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    server.serve_forever()
"""
STOP = """
import os, pathlib, sys
from http.client import HTTPConnection

os.kill(int(sys.argv[2]), 9)
token = pathlib.Path("/etc/hubpod/credentials/env/CONFIGPROXY_AUTH_TOKEN").read_text()
HTTPConnection("127.0.0.1", 8001, timeout=10).request("DELETE", f"/api/routes{sys.argv[1]}", None, {"Authorization": f"token {token}"})
"""  # noqa: E501
FETCH = """async ([url, options]) => {
    const response = await fetch(url, options);
    return [response.status, await response.text()];
}"""
FRAME = """async (url) => {
    const frame = document.createElement("iframe");
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    frame.src = url;
    document.body.append(frame);
    await loaded;
    try {
        return frame.contentDocument ? frame.contentDocument.documentElement.innerText : "";
    } catch {
        return "";
    }
}"""
READ_WINDOW = """() => {
    try {
        return opened.closed ? "" : opened.document.title;
    } catch {
        return "";
    }
}"""


@pytest.fixture
def base(stack: Stack) -> str:
    """The path prefix of every URL of the hub."""
    return urlsplit(stack.url).path.rstrip("/")


@pytest.fixture
def owners_page(stack: Stack, base: str) -> Iterator[str]:
    """The URL of a page on a server whose owner decides about everything in it."""
    prefix, python = f"{base}/user/{OWNER}", "/opt/jupyterhub/bin/python"
    pid = stack.execute("proxy", [python, "-c", SERVE, prefix]).stdout.strip()
    yield f"{stack.url.rstrip('/')}/user/{OWNER}/page"
    stack.execute("proxy", [python, "-c", STOP, prefix, pid])


@pytest.fixture
def visitor(hub: Hub, issuer: Issuer, user: User, page: Page, owners_page: str) -> Page:
    """The owner's page in the browser of another user, who is logged in behind a front door."""
    page.set_extra_http_headers({HEADER: issuer.mint(user)})
    page.goto(f"{hub.url}/hub/home")
    assert page.title() == "JupyterHub"
    page.goto(owners_page)
    return page


@pytest.mark.parametrize("mode", ["same-origin", "no-cors", "cors"])
@pytest.mark.parametrize("path", ["/hub/home", "/hub/token", "/hub/spawn", "/hub/", "/", "/hub/login", "/hub/status"])
def test_a_script_of_another_users_server_reads_no_page_of_the_hub(
    visitor: Page, user: User, base: str, path: str, mode: str
) -> None:
    """A page of the hub, which holds the token for requests as the visitor, is for the browser's windows only."""
    status, body = visitor.evaluate(FETCH, [base + path, {"mode": mode, "credentials": "include"}])

    assert user.name not in body
    assert "xsrf" not in body.lower()
    assert status == FORBIDDEN


def test_the_page_of_a_stopped_server_is_anonymous_for_scripts(visitor: Page, user: User, base: str) -> None:
    """A script of a page whose server has ended learns that, and nothing about the visitor."""
    for path in (f"/user/{user.name}/lab", f"/hub/user/{user.name}/lab", f"/hub/user/{user.name}/api/status"):
        _, body = visitor.evaluate(FETCH, [base + path, {}])

        assert "xsrf_token" not in body, path
        assert "logout" not in body, path


def test_another_users_server_mints_no_token_of_the_visitor(visitor: Page, user: User, base: str) -> None:
    """Neither the API nor the form of the token page creates a token, and the API answers nothing."""
    tokens = f"{base}/hub/api/users/{user.name}/tokens"
    json_body = {"method": "POST", "body": "{}", "headers": {"Content-Type": "application/json"}}
    for url, options in (
        (tokens, json_body),
        (tokens, {"method": "POST", "body": "{}"}),
        (f"{base}/hub/api/users/{user.name}/server", json_body),
        (f"{base}/hub/api/user", {}),
        (tokens, {}),
    ):
        status, body = visitor.evaluate(FETCH, [url, options])
        assert status == FORBIDDEN, (url, options)
        assert "token" not in json.loads(body)


def test_no_service_worker_covers_the_hub(visitor: Page, base: str) -> None:
    """A server registers a service worker for its own paths only, and none from a path of the hub."""
    own = f"{base}/user/{OWNER}/"

    assert urlsplit(visitor.evaluate(REGISTER_WORKER, ["worker.js", {}])).path == own
    for scope in (f"{base}/hub/", f"{base}/", "/", f"{base}/user/"):
        assert visitor.evaluate(REGISTER_WORKER, ["worker.js", {"scope": scope}]) == "SecurityError", scope
    for script in (f"{base}/user%2F{OWNER}%2Fworker.js", f"{base}/hub/static/js/home.js", f"{base}/hub/worker.js"):
        assert visitor.evaluate(REGISTER_WORKER, [script, {}]) == "TypeError", script


@pytest.mark.parametrize("path", ["/hub/home", "/hub/token"])
def test_no_frame_shows_a_page_of_the_hub(visitor: Page, user: User, base: str, path: str) -> None:
    """A frame of another user's server has no page of the hub in it."""
    assert user.name not in visitor.evaluate(FRAME, base + path)


@pytest.mark.parametrize("path", ["/hub/home", "/hub/token", "/user/another/page"])
def test_a_window_that_a_server_opens_is_not_its_own(visitor: Page, base: str, path: str) -> None:
    """The page of a server can neither read nor change a window with a page of the hub or of another server."""
    with visitor.context.expect_page() as opening:
        visitor.evaluate("(url) => { window.opened = window.open(url); }", base + path)
    opened = opening.value
    opened.wait_for_load_state()

    assert visitor.evaluate(READ_WINDOW) == ""
    assert opened.evaluate("() => window.opener === null")


def test_an_encoded_address_of_a_server_is_refused(hub: Hub, base: str, owners_page: str) -> None:
    """A page has the path in the browser that the proxy finds its server by, so that its scope is the server's."""
    own = f"{base}/user/{OWNER}"
    with direct_session() as session:
        for path, status in (
            (f"{base}/user%2F{OWNER}%2Fpage", BAD),
            (f"{own}/a%2Fb", 200),
            (f"{base}/%75ser/{OWNER}/page", 200),
        ):
            url = hub.url.removesuffix(base) + path
            assert session.get(url, timeout=10).status_code == status, path
        kept: Any = session.get(owners_page, timeout=10).headers
    assert not {"nel", "report-to", "service-worker-allowed"} & {name.lower() for name in kept}


def test_connections_without_a_request_shut_out_no_client(stack: Stack, hub: Hub) -> None:
    """Clients are served while another one holds more silent and slow connections than the proxy keeps."""
    parts = urlsplit(stack.url)
    address = (parts.hostname, parts.port)
    slow = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
    opened: list[socket.socket] = []
    try:
        for number in range(1200):
            opened.append(socket.create_connection(address, timeout=10))
            if number % 2:
                opened[-1].sendall(slow)
        with direct_session() as session:
            assert session.get(f"{hub.url}/hub/health", timeout=10).status_code == 200
        assert is_closed(opened[0])
        assert is_closed(opened[1])
        opened[-1].sendall(b"late\r\nConnection: close\r\n\r\n")
        assert opened[-1].recv(8) == b"HTTP/1.1"
    finally:
        for each in opened:
            each.close()


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side closes a connection within its time limit."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_too_many_cookies_are_explained(stack: Stack) -> None:
    """A browser whose cookies exceed the proxy's limit, which any server's page can set, reads what to do."""
    parts = urlsplit(stack.url)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 33_000 + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"delete the cookies of this site" in answer
