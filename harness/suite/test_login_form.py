"""Login with the form and the shared password of a developer's hub."""

import time
from collections.abc import Callable

import pytest

from hubpod.client import LoginRefused
from hubpod.client.browser import direct_session
from hubpod_harness.stack import Stack
from hubpod_harness.steps import wait_until
from hubpod_harness.users import User

OK, FORBIDDEN, TOO_MANY = 200, 403, 429


@pytest.fixture
def developer(developer_stack: Stack, users: Callable[..., list[User]]) -> User:
    """A user of the developer_stack' stack that no other test uses at the same time."""
    return users(of=developer_stack)[0]


def test_the_password_logs_in(developer_stack: Stack, developer: User) -> None:
    """The password logs in the user with the given name, in upper or lower case."""
    session = developer_stack.hub.login_form(developer.name.upper(), developer_stack.hub.password)

    assert session.user == developer.name
    assert developer_stack.hub.admin("GET", f"users/{developer.name}").json()["admin"] is False


def test_a_wrong_password_is_refused(developer_stack: Stack, developer: User) -> None:
    """A wrong password is reported and creates no user."""
    with pytest.raises(LoginRefused):
        developer_stack.hub.login_form(developer.name, f"{developer_stack.hub.password}x")

    assert not developer_stack.hub.servers_of(developer.name)


def status_of(stack: Stack, name: str, password: str) -> int | None:
    """Return the final status of a login with the form."""
    try:
        stack.hub.login_form(name, password)
    except LoginRefused as refusal:
        return refusal.status
    return OK


def test_many_wrong_passwords_are_throttled(developer_stack: Stack, developer: User) -> None:
    """After ten wrong passwords, the hub checks one per second. The right one works again."""
    start = time.monotonic()

    answers = [status_of(developer_stack, developer.name, f"wrong {number}") for number in range(100)]

    looked_at = answers.count(FORBIDDEN)
    assert answers.count(TOO_MANY) == len(answers) - looked_at
    assert looked_at <= 11 + time.monotonic() - start
    wait_until("a login", lambda: status_of(developer_stack, developer.name, developer_stack.hub.password) == OK, 10)


def test_a_form_of_another_site_cannot_log_in(developer_stack: Stack, developer: User) -> None:
    """Name and password without the form's XSRF token set no cookie."""
    form = {"username": developer.name, "password": developer_stack.hub.password}
    with direct_session() as browser:
        for more in ({}, {"_xsrf": "made-up"}, {"_xsrf": ""}):
            response = browser.post(
                f"{developer_stack.hub.url}/hub/login",
                data=form | more,
                headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
                allow_redirects=False,
                timeout=20,
            )
            assert response.status_code == FORBIDDEN
            assert "jupyterhub-hub-login" not in response.cookies


def test_only_dev_admins_are_administrators(developer_stack: Stack) -> None:
    """Only the users in devAdmins are administrators."""
    developer_stack.hub.login_form("boss", developer_stack.hub.password)

    assert developer_stack.hub.admin("GET", "users/boss").json()["admin"] is True


def test_a_developer_gets_a_notebook(developer_stack: Stack, developer: User) -> None:
    """The spawn form offers the projects of the user's accounts."""
    session = developer_stack.hub.login_as(developer)

    server = session.spawn(project="project2")

    assert developer_stack.slurm.job(server.job_id).user == developer.account("project2")
    assert server.execute("5 * 4") == "20"
