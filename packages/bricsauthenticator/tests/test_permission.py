"""Permission to log in: a valid token, and then the site's own configuration of JupyterHub."""

from typing import Any

import pytest

from bricsauthenticator import BricsAuthenticator

pytestmark = pytest.mark.asyncio


class NobodyToday(BricsAuthenticator):
    """A site's authenticator with a check of its own."""

    async def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> bool:
        """Admit users with a third project, which does not exist, and one user by name."""
        return "project3.portal" in (authentication or {})["auth_state"] or username == "grace"


class AdaBlocked(BricsAuthenticator):
    """A site's authenticator that blocks by a check of its own."""

    async def check_blocked_users(self, username: str, authentication: dict[str, Any] | None = None) -> bool:
        """Allow all users except one."""
        return username != "ada" and authentication is not None


@pytest.mark.parametrize(
    ("kind", "lists", "status"),
    [
        (BricsAuthenticator, {}, 302),
        (BricsAuthenticator, {"allow_all": False}, 403),
        (BricsAuthenticator, {"allowed_users": {"ada"}}, 302),
        (BricsAuthenticator, {"allowed_users": {"grace"}}, 403),
        (BricsAuthenticator, {"allowed_users": {"grace"}, "allow_all": True}, 302),
        (BricsAuthenticator, {"allowed_users": {"grace"}, "admin_users": {"ada"}}, 302),
        (BricsAuthenticator, {"admin_users": {"grace"}}, 302),
        (BricsAuthenticator, {"allow_existing_users": True}, 403),
        (BricsAuthenticator, {"blocked_users": {"ada"}}, 403),
        (BricsAuthenticator, {"blocked_users": {"ada"}, "admin_users": {"ada"}, "allow_all": True}, 403),
        (BricsAuthenticator, {"username_pattern": "[b-z]+"}, 403),
        (NobodyToday, {}, 403),
        (NobodyToday, {"allow_all": True}, 302),
        (AdaBlocked, {}, 403),
    ],
    ids=str,
)
async def test_the_sites_check_decides(  # noqa: PLR0913 - a table and the fixtures
    hub_maker: Any, hub_config: Any, issuer: Any, *, kind: type, lists: dict[str, Any], status: int
) -> None:
    """Lists and checks, JupyterHub's own or a site's, decide about a user whose token is good."""
    hub_config.JupyterHub.authenticator_class = kind
    hub_config.BricsAuthenticator.update(lists)
    hub = await hub_maker(hub_config)

    answer = await hub.login(issuer.mint())

    assert answer.code == status
    assert ("jupyterhub-hub-login" in hub.cookies) is (status == 302)


@pytest.mark.parametrize(("admins", "is_admin"), [({"ada"}, True), ({"grace"}, False), (set(), False)])
async def test_administrators_are_named_by_the_site(
    hub_maker: Any, hub_config: Any, issuer: Any, admins: set[str], *, is_admin: bool
) -> None:
    """admin_users makes administrators, and nothing in a token does."""
    hub_config.BricsAuthenticator.admin_users = admins
    hub = await hub_maker(hub_config)

    await hub.login(issuer.mint(admin=True, groups=["admin"], roles=["admin"]))

    assert next(user for user in hub.app.users.values() if user.name == "ada").admin is is_admin


async def test_the_login_cookie_is_for_the_hub_alone(hub_maker: Any, hub_config: Any, issuer: Any) -> None:
    """The hub's login cookie is limited to the hub's own path.

    Browsers therefore never send it to a user's server.
    """
    hub_config.JupyterHub.base_url = "/jupyter/"
    hub = await hub_maker(hub_config)

    answer = await hub.request("/jupyter/hub/login", token=issuer.mint())

    (cookie,) = (one for one in answer.headers.get_list("Set-Cookie") if one.startswith("jupyterhub-hub-login="))
    assert {"HttpOnly", "Path=/jupyter/hub/"} <= set(cookie.split("; "))
