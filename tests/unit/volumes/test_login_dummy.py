"""The dummy login form, with the authenticator that the hub's configuration creates."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from hubpod.components.assembly import instance_spec
from hubpod.environments import find_environment
from support.sites import PASSWORD, load_hub_configuration, site

HERE, ELSEWHERE, PROXY = "198.51.100.7", "203.0.113.9", "127.0.0.1"
WRONG = f"{PASSWORD}x"
BAD_REQUEST, FORBIDDEN, TOO_MANY = 400, 403, 429
AT_ONCE = 10


class Form:
    """A client of the login form.

    Attributes:
        authenticator: The authenticator of the form.
        projects: Projects of the last user who logged in.
        is_admin: Whether that user is an administrator.
    """

    def __init__(self, authenticator: Any) -> None:
        self.authenticator = authenticator
        self.projects: object = None
        self.is_admin: object = None

    def try_password(
        self, password: str, *, forwarded: str = HERE, peer: str = PROXY, following: str = ""
    ) -> str | int:
        """Log in with a password, and return the user or the error status."""
        fields = {"username": "testuser", "password": password}
        return self.send(fields, forwarded=forwarded, peer=peer, following=following)

    def send(
        self, fields: dict[str, str], *, forwarded: str = HERE, peer: str = PROXY, following: str = ""
    ) -> str | int:
        """Send the form's fields, through the proxy or directly, with a redirect target."""
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
    """The form of a new hub."""
    config = load_hub_configuration(instance_spec(site(find_environment("dev_dummyauth"))), tmp_path)
    return Form(config.JupyterHub.authenticator_class(config=config))


def test_the_password_decides(form: Form) -> None:
    """The site's password logs in, but not a wrong one, an empty one and one that is not ASCII."""
    assert form.try_password(PASSWORD) == "testuser"
    assert [form.try_password(wrong) for wrong in (WRONG, "", "pässword", PASSWORD.upper())] == [FORBIDDEN] * 4


@pytest.mark.parametrize(
    ("typed", "name"), [("otheruser", "otheruser"), (" OtherUser ", "otheruser"), ("x", "testuser")]
)
def test_the_typed_name_selects_a_dev_user(form: Form, typed: str, name: str) -> None:
    """A typed name selects its dev user in any case, and any other name the first dev user."""
    assert form.send({"username": typed, "password": PASSWORD}) == name


def test_a_login_brings_the_projects_of_its_accounts(form: Form) -> None:
    """The projects have the shape of a token's projects, and the user is not an administrator."""
    assert form.try_password(PASSWORD) == "testuser"

    assert form.is_admin is False
    assert form.projects == {
        f"{project}.brics": {"name": f"Project {project}", "username": f"testuser.{project}"}
        for project in ("project1", "project2")
    }


def test_wrong_passwords_are_throttled(form: Form) -> None:
    """Of one address's attempts, ten and then one per second are checked.

    The others get 429.
    """
    begun = time.monotonic()

    answers = [form.try_password(f"{WRONG}{number}") for number in range(1000)]

    looked_at = answers.count(FORBIDDEN)
    assert answers.count(TOO_MANY) == 1000 - looked_at
    assert AT_ONCE <= looked_at <= AT_ONCE + 1 + time.monotonic() - begun


def test_the_right_password_works_after_a_second(form: Form) -> None:
    """After too many attempts the right password works a second later."""
    for _ in range(300):
        form.try_password(WRONG)

    deadline = time.monotonic() + 30
    while (answer := form.try_password(PASSWORD)) == TOO_MANY and time.monotonic() < deadline:
        time.sleep(0.05)

    assert answer == "testuser"


def test_other_addresses_are_not_throttled(form: Form) -> None:
    """Wrong passwords from one address do not throttle another one."""
    for _ in range(100):
        form.try_password(WRONG)

    assert form.try_password(PASSWORD, forwarded=ELSEWHERE) == "testuser"


def test_a_client_cannot_choose_its_address(form: Form) -> None:
    """Only the address that the proxy has seen counts, not one in a header of the client."""
    begun = time.monotonic()

    proxied = [form.try_password(WRONG, forwarded=f"192.0.2.{number}, {HERE}") for number in range(100)]
    direct = [form.try_password(WRONG, forwarded=f"192.0.2.{number}", peer=ELSEWHERE) for number in range(100)]

    for answers in (proxied, direct):
        assert answers.count(FORBIDDEN) <= AT_ONCE + 1 + time.monotonic() - begun


def test_right_passwords_are_not_counted(form: Form) -> None:
    """A whole course can log in from one address at the same time."""
    assert {form.try_password(PASSWORD) for _ in range(100)} == {"testuser"}


@pytest.mark.parametrize("fields", [{}, {"username": "testuser"}, {"password": PASSWORD}])
def test_half_a_form_is_a_bad_request(form: Form, fields: dict[str, str]) -> None:
    """A form without name or password is refused with 400 instead of a server error."""
    assert form.send(fields) == BAD_REQUEST


@pytest.mark.parametrize("following", ["/jupyter/\r\nLocation: https://x.example/", "/jupyter/\n", "/jupyter/\t"])
def test_an_unprintable_redirect_target_is_refused(form: Form, following: str) -> None:
    """A redirect target with line breaks is refused before the password is checked."""
    assert form.try_password(PASSWORD, following=following) == BAD_REQUEST
    assert form.try_password(PASSWORD, following="/jupyter/hub/home?a=\u3002 b") == "testuser"
