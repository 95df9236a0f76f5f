"""Requests refused with every login method: cross-site forms and oversized headers."""

from urllib.parse import urlsplit

import pytest
import requests

from hubpod.client.browser import direct_session
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.steps import PROJECT
from hubpod_harness.users import User

pytestmark = pytest.mark.hubpod_login("JWT")

HEADER = "X-Auth-Id-Token"
KB = 1024
OK, FORBIDDEN, TOO_LARGE = 200, 403, 431
TIMEOUT_S = 20


@pytest.fixture
def token(issuer: Issuer, user: User) -> str:
    """A valid token."""
    return issuer.mint(user)


@pytest.fixture
def browser(hub: Hub, token: str) -> requests.Session:
    """A browser session with cookies only, after a login."""
    session = direct_session(hub.url)
    home = f"{hub.url}/hub/login?next={urlsplit(hub.url).path}/hub/home"
    assert session.get(home, headers={HEADER: token}, timeout=TIMEOUT_S).status_code == OK
    return session


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Referer": "https://evil.example/"},
        {"X-XSRFToken": "made-up"},
    ],
    ids=lambda sent: " ".join(sent) or "none",
)
def test_another_site_cannot_start_a_server(
    hub: Hub, browser: requests.Session, user: User, sent: dict[str, str]
) -> None:
    """A form or script of another site starts no server.

    It sends the user's cookies, but not the XSRF token.
    """
    form = {"brics_project": f"{PROJECT}.portal", "runtime": "01:00:00", "ngpus": "0"}
    api = f"{hub.url}/hub/api/users/{user.name}/server"

    answers = [
        browser.post(f"{hub.url}/hub/spawn", data=form, headers=sent, allow_redirects=False, timeout=TIMEOUT_S),
        browser.post(api, json=form, headers=sent, allow_redirects=False, timeout=TIMEOUT_S),
        browser.post(api, data="{}", headers={**sent, "Content-Type": "text/plain"}, timeout=TIMEOUT_S),
    ]

    assert [answer.status_code for answer in answers] == [FORBIDDEN] * 3
    assert not hub.servers_of(user.name)


@pytest.mark.parametrize(("size_kb", "status"), [(8, OK), (31, OK), (33, TOO_LARGE), (70, TOO_LARGE)])
def test_headers_up_to_31_kb_are_served(hub: Hub, size_kb: int, status: int) -> None:
    """The proxy serves up to 31 kB of headers, refuses more, and keeps running."""
    health = f"{hub.url}/hub/health"
    with direct_session(hub.url) as session:
        try:
            # Reads only the beginning, because the proxy closes the connection while it sends the rest.
            answer = session.get(health, headers={"X-Filler": "x" * size_kb * KB}, timeout=TIMEOUT_S, stream=True)
            answered = answer.status_code
        except requests.ConnectionError:
            answered = TOO_LARGE

        assert answered == status
        assert session.get(health, timeout=TIMEOUT_S).status_code == OK


def test_a_token_of_many_projects_logs_in(hub: Hub, issuer: Issuer, user: User) -> None:
    """A valid token of 30 kB reaches the hub unchanged."""
    token = issuer.mint(user, claims={"filler": "x" * 22 * KB})

    assert len(token) > 29 * KB
    assert hub.login(token).user == user.name
