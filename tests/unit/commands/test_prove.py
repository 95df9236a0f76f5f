"""Users of a spawn."""

import pytest

from hubpod.commands.prove import require_user
from hubpod.environments import find_environment
from hubpod.errors import UsageError
from support.sites import site

SETTINGS = site(find_environment("dev_dummyauth")).settings


@pytest.mark.parametrize(("name", "hint"), [("nobody", ""), ("testusr", "; did you mean"), ("Testuser", "; did you")])
def test_a_user_who_is_not_in_dev_users_is_refused(name: str, hint: str) -> None:
    """The login form would log the first of devUsers in, and the spawn would prove nothing about the name."""
    with pytest.raises(UsageError, match=f"--user {name}: devUsers of .* does not have this user{hint}") as caught:
        require_user(name, SETTINGS)

    assert caught.value.remedy.startswith("users: testuser")


def test_a_user_of_dev_users_is_accepted() -> None:
    """Every user of the settings can spawn."""
    for account in SETTINGS.dev_users:
        require_user(account.user, SETTINGS)
