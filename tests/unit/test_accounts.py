"""Account names, and the home directories that derive from them."""

import pytest

from bricsauthenticator import BricsSlurmSpawner, projects
from hubpod.accounts import Account

ACCEPTED = ("ada.physics", "a.0", "a_b-c9.x_y-z", f"{'a' * 32}.{'p' * 32}", "rooted.p", "a.root")
REFUSED = (
    *("", ".", "ada", "ada.", ".physics", "ada.physics.brics", "Ada.physics", "ada.Physics", "root.physics"),
    *("_a.p", "9a.p", "a._p", "a.-p", "a b.p", "a.p\n", " a.p", "../x.p", "a.p/x", "ä.p", "a.p; id"),
    *(f"{'a' * 33}.p", f"a.{'p' * 33}"),
)


def test_an_account_has_a_home_directory_below_its_project() -> None:
    """The directory is named after the account, below one named after the project."""
    account = Account.parse("ada.physics")

    assert account == Account(user="ada", project="physics")
    assert (str(account), account.home) == ("ada.physics", "/home/physics/ada.physics")


@pytest.mark.parametrize("name", ACCEPTED)
def test_hub_and_hubpod_accept_the_same_accounts(name: str) -> None:
    """Hub and hubpod accept the same accounts and map them to the same directories.

    The authenticator repeats the rule, because the hub's image cannot import hubpod.
    """
    assert projects.is_account(name)
    assert BricsSlurmSpawner().usual_home(name) == Account.parse(name).home


@pytest.mark.parametrize("name", REFUSED)
def test_hub_and_hubpod_refuse_the_same_accounts(name: str) -> None:
    """Hub and hubpod refuse names that sudo or a path would interpret."""
    assert not projects.is_account(name)
    with pytest.raises(ValueError, match="is not <USER>"):
        Account.parse(name)
