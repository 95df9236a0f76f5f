"""What passes the proxy between a browser, the hub and users' servers."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from hubpod.client.browser import direct_session
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

HEADER = "X-Auth-Id-Token"
NAME = "somebody-of-the-tests"
EXCHANGE = """
import json, pathlib, sys, threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer

prefix, sent, answered, upgraded = sys.argv[1], *map(json.loads, sys.argv[2:])
api_token = pathlib.Path("/etc/hubpod/credentials/env/CONFIGPROXY_AUTH_TOKEN").read_text()
received = {}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        received.update({name.lower(): value for name, value in self.headers.items()})
        self.send_response(101 if upgraded else 200)
        for name, value in answered:
            self.send_header(name, value)
        self.send_header(*(("Upgrade", "websocket") if upgraded else ("Content-Length", "0")))
        self.send_header("Connection", "Upgrade" if upgraded else "close")
        self.end_headers()

    def log_message(self, *_):
        pass


def exchange(port, method, path, headers, body=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    if response.status != 101:
        response.read()
    return response.getheaders()


server = HTTPServer(("127.0.0.1", 0), Server)
thread = threading.Thread(target=server.handle_request, daemon=True)
thread.start()
target = json.dumps({"target": f"http://127.0.0.1:{server.server_port}"}).encode()
token = [("Authorization", f"token {api_token}")]
exchange(8001, "POST", f"/api/routes{prefix}", token, target)
back = exchange(8000, "GET", f"{prefix}/page", sent)
thread.join(10)
exchange(8001, "DELETE", f"/api/routes{prefix}", token)
print(json.dumps([received, back]))
"""
TOKEN = "0123456789abcdef0123456789abcdef"
UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
]
FRONT_DOOR: Mapping[str, str] = {
    "X-Auth-Id-Token": "e30.e30.AA",
    "X-Auth-Request-Access-Token": "secret",
    "X-Auth-Request-User": "visitor",
    "X-Forwarded-Access-Token": "secret",
    "X-Forwarded-Email": "visitor@example.org",
    "X-Forwarded-User": "visitor",
    "X-Id-Token": "secret",
    "X-Amzn-Oidc-Data": "secret",
    "Cf-Access-Jwt-Assertion": "secret",
    "X-Goog-Iap-Jwt-Assertion": "secret",
    "X-Ms-Token-Aad-Id-Token": "secret",
    "Remote-User": "visitor",
    "Proxy-Authorization": "Basic c2VjcmV0",
    "X-Client-Cert": "secret",
    "X-Api-Key": "secret",
}


def exchange(
    stack: Stack, sent: list[tuple[str, str]], answered: list[tuple[str, str]] | None = None, *, upgraded: bool = False
) -> tuple[dict[str, str], list[list[str]]]:
    """Send a request through the proxy to a server that records its headers; return these, and those of the answer."""
    prefix = f"{urlsplit(stack.url).path.rstrip('/')}/user/{NAME}"
    arguments = [prefix, json.dumps(sent), json.dumps(answered or []), json.dumps(upgraded)]
    said: Any = json.loads(stack.execute("proxy", ["/opt/jupyterhub/bin/python", "-c", EXCHANGE, *arguments]).stdout)
    return said[0], said[1]


@pytest.mark.parametrize("upgrade", [[], UPGRADE], ids=["page", "websocket"])
def test_a_server_receives_nothing_of_the_front_door(stack: Stack, upgrade: list[tuple[str, str]]) -> None:
    """Headers that a front door adds do not reach a server, whatever their names, on pages and WebSockets."""
    received, _ = exchange(stack, [*FRONT_DOOR.items(), ("Accept", "text/html"), *upgrade], upgraded=bool(upgrade))

    assert received["accept"] == "text/html"
    assert not {name.lower() for name in FRONT_DOOR} & received.keys()
    assert "secret" not in str(received)


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (f"token {TOKEN}", True),
        (f"Bearer {TOKEN}", True),
        (f"token {TOKEN}{TOKEN[:16]}", True),
        ("Basic dXNlcjpwYXNzd29yZA==", False),
        ("Negotiate YII", False),
        ("Bearer e30.e30.AA", False),
        ("Bearer ya29.secret", False),
        ("Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a", False),
        (TOKEN, False),
    ],
)
def test_only_tokens_of_jupyter_reach_a_server(stack: Stack, value: str, *, passes: bool) -> None:
    """A user's token in Authorization reaches a server; the front door's Authorization does not."""
    received, _ = exchange(stack, [("Authorization", value)])

    assert ("authorization" in received) is passes


def test_only_the_servers_own_cookies_reach_it(stack: Stack) -> None:
    """A server gets its login, its XSRF token and the session's id, and no cookie of the front door or the hub."""
    own = [f"jupyterhub-user-{NAME}=a", f"jupyterhub-user-{NAME}-oauth-state-x=b", "_xsrf=c", "jupyterhub-session-id=d"]
    others = ["_oauth2_proxy=secret", "__Host-session=secret", "jupyterhub-hub-login=secret", "AUTH_SESSION_ID=secret",
              "jupyterhub-user-another=secret", " _oauth2_proxy_1 = secret", "mod_auth_session=secret"]  # fmt: skip

    received, _ = exchange(stack, [("Cookie", "; ".join([*others, *own, *others]))])
    without, _ = exchange(stack, [("Cookie", "; ".join(others))])

    assert received["cookie"] == "; ".join(own)
    assert "cookie" not in without


@pytest.mark.parametrize("upgrade", [[], UPGRADE], ids=["page", "websocket"])
def test_a_servers_answer_concerns_its_own_paths_only(stack: Stack, upgrade: list[tuple[str, str]]) -> None:
    """A server can set neither a service worker nor a cookie for the hub or for another server."""
    own = f"{urlsplit(stack.url).path.rstrip('/')}/user/{NAME}/"
    answered = [
        ("Service-Worker-Allowed", "/"),
        ("Clear-Site-Data", '"cookies"'),
        ("Set-Cookie", "one=1; Path=/"),
        ("Set-Cookie", f"two=2; path={own}sub/; HttpOnly"),
        ("Set-Cookie", "three=3; Domain=example.org; Path=/jupyter/hub/"),
        ("Set-Cookie", f"four=4; Path={own}; Path=/jupyter/hub/"),
        ("Set-Cookie", f"five=5; Path={own}../../hub/"),
        ("Set-Cookie", "jupyterhub-hub-login=6"),
        ("X-Other", "kept"),
    ]

    _, back = exchange(stack, upgrade, answered, upgraded=bool(upgrade))

    names = {name.lower() for name, _ in back}
    cookies = [value for name, value in back if name.lower() == "set-cookie"]
    assert not names & {"service-worker-allowed", "clear-site-data"}
    assert "x-other" in names
    assert cookies == [
        f"one=1; Path={own}",
        f"two=2; HttpOnly; Path={own}sub/",
        f"three=3; Path={own}",
        f"four=4; Path={own}",
        f"five=5; Path={own}",
        f"jupyterhub-hub-login=6; Path={own}",
    ]


def test_the_client_does_not_choose_its_address(stack: Stack, hub: Hub) -> None:
    """The hub's log has the address that connects to the proxy, whatever the client claims."""
    claims = ("X-Real-Ip", "X-Forwarded-For", "X-Client-Ip", "Forwarded", "X-Scheme")
    headers = tuple((name, f"203.0.113.{number}") for number, name in enumerate(claims))

    send(stack.url, Request(path="/hub/api/user?marker=address", headers=headers))

    line = next(line for line in hub.log().splitlines() if "marker=address" in line)
    assert "203.0.113." not in line


@pytest.mark.parametrize("protocol", ["https", "http", ""])
def test_cookies_are_secure_behind_https(hub: Hub, issuer: Issuer, user: User, protocol: str) -> None:
    """Behind a front door with https each cookie of the hub is Secure, and in each case HttpOnly and SameSite."""
    headers = {HEADER: issuer.mint(user), **({"X-Forwarded-Proto": protocol} if protocol else {})}
    with direct_session() as browser:
        response = browser.get(f"{hub.url}/hub/login", headers=headers, allow_redirects=False, timeout=10)

    cookies = response.raw.headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; ")), cookie
        assert ("Secure" in cookie.split("; ")) is (protocol == "https"), cookie


def test_a_cookie_from_before_the_logout_is_worthless(hub: Hub, issuer: Issuer, user: User) -> None:
    """A copy of the login cookie ends with the logout."""
    with direct_session() as browser:
        browser.get(f"{hub.url}/hub/login", headers={HEADER: issuer.mint(user)}, allow_redirects=False, timeout=10)
        kept = dict(browser.cookies)
        before = browser.get(f"{hub.url}/hub/home", allow_redirects=False, timeout=10)
        browser.get(f"{hub.url}/hub/logout", allow_redirects=False, timeout=10)
    with direct_session() as browser:
        after = browser.get(f"{hub.url}/hub/home", cookies=kept, allow_redirects=False, timeout=10)

    assert (before.status_code, after.status_code) == (200, 302)
