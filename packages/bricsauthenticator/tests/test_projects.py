"""A token's user and accounts on this platform."""

import pytest

from bricsauthenticator.login_errors import NotPermittedError
from bricsauthenticator.projects import check_user, is_account, usable_projects


def claim(platform: str) -> dict[str, object]:
    """Return a claim with one project on a platform."""
    return {"p1.portal": {"name": "One", "resources": [{"name": platform, "username": "ada.p1"}]}}


def test_a_platform_is_matched_by_its_whole_name() -> None:
    """A platform whose name only begins like this platform's is another platform."""
    assert usable_projects(claim("site.one"), user="ada", platform="site.one").usable
    for other in ("site.one.test", "site.on", "Site.one"):
        with pytest.raises(NotPermittedError):
            usable_projects(claim(other), user="ada", platform="site.one")


def test_root_is_not_a_user_name() -> None:
    """Neither a user nor an account is called root."""
    assert check_user("rooty") == "rooty"
    assert is_account("rooty.p1")
    assert not is_account("root.p1")
    with pytest.raises(NotPermittedError):
        check_user("root")
