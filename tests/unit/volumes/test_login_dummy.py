"""The login form of development, with JupyterHub's own authenticator as the hub's configuration makes it."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from hubpod.components.assembly import pod_spec
from hubpod.environments import find_environment
from support.sites import PASSWORD, load_hub_configuration, site

HERE, ELSEWHERE, PROXY = "198.51.100.7", "203.0.113.9", "127.0.0.1"
WRONG = f"{PASSWORD}x"
BAD_REQUEST, FORBIDDEN, TOO_MANY = 400, 403, 429
AT_ONCE = 10


class Form:
    """The form, and who fills it in.

    Attributes:
        authenticator: What looks at it.
        projects: Those of whoever was logged in last.
        is_admin: Whether that is an administrator.
    """

    def __init__(self, authenticator: Any) -> None:
        self.authenticator = authenticator
        self.projects: object = None
        self.is_admin: object = None

    def try_password(
        self, password: str, *, forwarded: str = HERE, peer: str = PROXY, following: str = ""
    ) -> str | int:
        """Log in with a password, and return who it was, or else the status."""
        fields = {"username": "testuser", "password": password}
        return self.send(fields, forwarded=forwarded, peer=peer, following=following)

    def send(
        self, fields: dict[str, str], *, forwarded: str = HERE, peer: str = PROXY, following: str = ""
    ) -> str | int:
        """Send these fields, through the proxy or from elsewhere, to go on to an address."""
        connection = SimpleNamespace(context=SimpleNamespace(address=(peer, 50000)))
        headers = HTTPHeaders({"X-Forwarded-For": forwarded})
        handler = SimpleNamespace(
            request=SimpleNamespace(connection=connection, headers=headers),
            get_argument=lambda name, default: following if name == "next" else default,
        )
        try:
            found = asyncio.run(self.authenticator.get_authenticated_user(handler, fields))
        except HTTPError as refusal:
            return refusal.status_code
        if not found:
            return FORBIDDEN
        self.projects, self.is_admin = found["auth_state"], found["admin"]
        return str(found["name"])


@pytest.fixture
def form(tmp_path: Path) -> Form:
    """The form of a hub that has just started."""
    config = load_hub_configuration(pod_spec(site(find_environment("dev_dummyauth"))), tmp_path)
    return Form(config.JupyterHub.authenticator_class(config=config))


def test_the_password_decides(form: Form) -> None:
    """The site's password logs in; a wrong one, an empty one and one that is not ASCII do not."""
    assert form.try_password(PASSWORD) == "testuser"
    assert [form.try_password(wrong) for wrong in (WRONG, "", "pässword", PASSWORD.upper())] == [FORBIDDEN] * 4


@pytest.mark.parametrize(
    ("typed", "name"), [("otheruser", "otheruser"), (" OtherUser ", "otheruser"), ("x", "testuser")]
)
def test_who_is_meant(form: Form, typed: str, name: str) -> None:
    """A developer is meant however their name is typed; whoever is none becomes the first one."""
    assert form.send({"username": typed, "password": PASSWORD}) == name


def test_a_login_brings_the_projects_of_its_accounts(form: Form) -> None:
    """They have the shape that a token's projects have, which is what the spawner wants; they administer nothing."""
    assert form.try_password(PASSWORD) == "testuser"

    assert form.is_admin is False
    assert form.projects == {
        f"{project}.brics": {"name": f"Project {project}", "username": f"testuser.{project}"}
        for project in ("project1", "project2")
    }


def test_a_thousand_wrong_passwords_are_hardly_looked_at(form: Form) -> None:
    """Of those that one address tries, ten are looked at and one more each second; the others get 429."""
    begun = time.monotonic()

    answers = [form.try_password(f"{WRONG}{number}") for number in range(1000)]

    looked_at = answers.count(FORBIDDEN)
    assert answers.count(TOO_MANY) == 1000 - looked_at
    assert AT_ONCE <= looked_at <= AT_ONCE + 1 + time.monotonic() - begun


def test_the_right_password_waits_a_moment_only(form: Form) -> None:
    """Who has tried too often is let in a moment later."""
    for _ in range(300):
        form.try_password(WRONG)

    deadline = time.monotonic() + 30
    while (answer := form.try_password(PASSWORD)) == TOO_MANY and time.monotonic() < deadline:
        time.sleep(0.05)

    assert answer == "testuser"


def test_others_are_not_kept_waiting(form: Form) -> None:
    """Wrong passwords from one address keep nobody out at another one."""
    for _ in range(100):
        form.try_password(WRONG)

    assert form.try_password(PASSWORD, forwarded=ELSEWHERE) == "testuser"


def test_nobody_chooses_an_address_of_their_own(form: Form) -> None:
    """What a browser says of where it is does not count, only what the proxy has seen."""
    begun = time.monotonic()

    proxied = [form.try_password(WRONG, forwarded=f"192.0.2.{number}, {HERE}") for number in range(100)]
    direct = [form.try_password(WRONG, forwarded=f"192.0.2.{number}", peer=ELSEWHERE) for number in range(100)]

    for answers in (proxied, direct):
        assert answers.count(FORBIDDEN) <= AT_ONCE + 1 + time.monotonic() - begun


def test_right_passwords_do_not_count(form: Form) -> None:
    """A whole course may log in from one address at once."""
    assert {form.try_password(PASSWORD) for _ in range(100)} == {"testuser"}


@pytest.mark.parametrize("fields", [{}, {"username": "testuser"}, {"password": PASSWORD}])
def test_half_a_form_is_a_bad_request(form: Form, fields: dict[str, str]) -> None:
    """A form without name or password is refused, and is no error of the server."""
    assert form.send(fields) == BAD_REQUEST


@pytest.mark.parametrize("following", ["/jupyter/\r\nLocation: https://x.example/", "/jupyter/\n", "/jupyter/\t"])
def test_an_address_that_no_header_can_say_is_refused(form: Form, following: str) -> None:
    """Whoever follows a link with breaks in where it leads is told so, before the password is looked at."""
    assert form.try_password(PASSWORD, following=following) == BAD_REQUEST
    assert form.try_password(PASSWORD, following="/jupyter/hub/home?a=\u3002 b") == "testuser"
