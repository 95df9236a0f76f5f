"""Login with the form of the development environments."""

import pytest

from harness.hub import Hub
from harness.users import User
from hubpod.client import LoginRefused, Session

pytestmark = pytest.mark.hubpod_login("dummy")


def test_the_password_logs_in(session: Session, user: User) -> None:
    """Whoever knows the development password is the user whose name they typed."""
    assert session.user == user.name


def test_a_wrong_password_is_told_on_the_page(hub: Hub, user: User) -> None:
    """A wrong password gives a sentence and no session."""
    with pytest.raises(LoginRefused) as refusal:
        hub.login_form(user.name, "not the password")

    assert "Invalid username or password" in refusal.value.sentence
