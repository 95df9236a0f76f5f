"""Login with the form and the one password of a developer's hub, whichever login is under test otherwise."""

from collections.abc import Callable

import pytest

from harness.stack import Stack
from harness.users import User
from hubpod.client import LoginRefused


@pytest.fixture
def developers(stacks: Callable[..., Stack]) -> Stack:
    """A stack as a developer has it."""
    return stacks(environment="dev_dummyauth", settings={"devAdmins": "boss"})


@pytest.fixture
def developer(developers: Stack, users: Callable[..., list[User]]) -> User:
    """A developer whom nobody else is meanwhile."""
    return users(of=developers)[0]


def test_the_password_logs_in(developers: Stack, developer: User) -> None:
    """Whoever knows the password is the user of the name that was typed, however it was typed."""
    session = developers.hub.login_form(developer.name.upper(), developers.hub.password)

    assert session.user == developer.name
    assert developers.hub.admin("GET", f"users/{developer.name}").json()["admin"] is False


def test_a_wrong_password_is_refused(developers: Stack, developer: User) -> None:
    """A wrong password is said to be wrong, and makes nobody a user."""
    with pytest.raises(LoginRefused):
        developers.hub.login_form(developer.name, f"{developers.hub.password}x")

    assert not developers.hub.servers_of(developer.name)


def test_only_named_administrators_administer(developers: Stack) -> None:
    """The users of devAdmins, and nobody else, administer the hub."""
    developers.hub.login_form("boss", developers.hub.password)

    assert developers.hub.admin("GET", "users/boss").json()["admin"] is True


def test_a_developer_gets_a_notebook(developers: Stack, developer: User) -> None:
    """The accounts of the developer are the projects that the form offers."""
    session = developers.hub.login_as(developer)

    server = session.spawn(project="project2")

    assert developers.slurm.job(server.job_id).user == developer.account("project2")
    assert server.execute("5 * 4") == "20"
