"""What the hub refuses before any handler acts, whatever authenticator and spawner it has."""

import json

import pytest

from hubpod.client import Session
from hubpod.client.browser import direct_session
from hubpod_harness.attack.transport import Request, send
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

BAD = 400
HEADER = "X-Auth-Id-Token"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "authorizations/token", None),
        ("POST", "authorizations/token/x", {}),
        ("PATCH", "users/{user}/server", {"unknown": 1}),
        ("PATCH", "users/{user}/servers/other", {"unknown": 1}),
        ("POST", "users", "text"),
        ("POST", "users/{user}/server", [None]),
    ],
)
def test_the_api_refuses_unusable_values(hub: Hub, session: Session, method: str, path: str, body: object) -> None:
    """A body or path that JupyterHub would fail on is the client's error, without a traceback in the log."""
    before = hub.log().count("Traceback")

    response = hub.admin(method, path.format(user=session.user), body)

    assert response.status_code == BAD, response.text
    assert json.loads(response.text)["message"]
    assert hub.log().count("Traceback") == before


@pytest.mark.parametrize("path", ["/hub/%ff", "/hub/login?next=%ff", "/hub/api/users/%ed%a0%80"])
def test_an_unreadable_path_is_refused(stack: Stack, path: str) -> None:
    """A path or query that is not UTF-8 is refused with 400."""
    assert send(stack.url, Request(path=path)).status == BAD


def test_a_link_starts_no_server(hub: Hub, issuer: Issuer, user: User) -> None:
    """A link to the form with options shows the form, and starts nothing."""
    with direct_session() as browser:
        browser.get(f"{hub.url}/hub/login", headers={HEADER: issuer.mint(user)}, timeout=10)
        page = browser.get(f"{hub.url}/hub/spawn?brics_project={user.projects[0]}.brics&runtime=08:00:00", timeout=10)

    assert "spawn_form" in page.text
    assert not hub.servers_of(user.name)
