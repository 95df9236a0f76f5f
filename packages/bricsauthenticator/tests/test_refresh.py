"""How long a user's projects are valid, and how a later token changes them."""

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

PLATFORM = "brics.slurm.cluster"
CHOICE = {"brics_project": "project1.portal"}
HALF_A_DAY_S = 43_200
LONG_S = HALF_A_DAY_S + 60

pytestmark = pytest.mark.asyncio


def projects_of(user: str, *names: str) -> dict[str, Any]:
    """Return a claim with these projects."""
    return {
        f"{name}.portal": {"name": name, "resources": [{"name": PLATFORM, "username": f"{user}.{name}"}]}
        for name in names
    }


def pass_time(hub: Any, seconds: float) -> None:
    """Move the authenticator's clock, and let the next request refresh its user."""
    hub.app.authenticator.confirmations.clock = lambda: time.monotonic() + seconds
    for user in hub.app.users.values():
        user._auth_refreshed = None


async def known_projects(hub: Any) -> set[str]:
    """Return the projects that the hub knows of a user."""
    user = next(user for user in hub.app.users.values() if user.name == "ada")
    return set(await user.get_auth_state())


async def submit(hub: Any, token: str | None, of: str = "ada") -> Any:
    """Send the form of a spawn page through the front door, which adds a token."""
    return await hub.request(
        f"/hub/spawn/{of}?_xsrf={hub.cookies['_xsrf']}",
        method="POST",
        token=token,
        headers={"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{hub.url}/hub/spawn"},
        body=urlencode(CHOICE),
    )


@pytest_asyncio.fixture
async def ada(hub: Any, issuer: Any) -> Any:
    """A hub with a user logged in."""
    await hub.login(issuer.mint())
    await hub.request("/hub/home")
    return hub


async def test_a_later_token_updates_the_projects(ada: Any, issuer: Any) -> None:
    """A request through the front door has a token, and what that says is known from then on."""
    pass_time(ada, 301)

    answer = await ada.request("/hub/home", token=issuer.mint(projects=projects_of("ada", "project2", "project4")))

    assert answer.code == 200
    assert await known_projects(ada) == {"project2.portal", "project4.portal"}


async def test_a_spawn_reads_the_token_of_its_request(ada: Any, issuer: Any, slurm: Any) -> None:
    """A project that was lost a moment ago cannot be spawned into through the front door."""
    token = issuer.mint(projects=projects_of("ada", "project2"))

    answer = await submit(ada, token)

    assert answer.code == 400
    assert b"project" in answer.body
    assert not slurm.read("script")
    assert await known_projects(ada) == {"project2.portal"}


@pytest.mark.parametrize(("later_s", "status"), [(HALF_A_DAY_S - 60, 200), (LONG_S, 302)])
async def test_without_a_token_a_login_lasts_half_a_day(ada: Any, all_logs: Any, later_s: int, status: int) -> None:
    """A user without a token in later requests logs in again when the projects are too old."""
    pass_time(ada, later_s)

    answer = await ada.request("/hub/spawn")

    assert answer.code == status
    assert "Traceback" not in all_logs.text
    assert status == 200 or answer.headers["Location"].startswith("/hub/login?next=")


async def test_an_outdated_form_does_not_start_a_server(ada: Any, issuer: Any, slurm: Any) -> None:
    """A spawn checks the age of the projects and redirects to the login.

    A recent refresh does not change that.
    """
    ada.app.authenticator.confirmations.clock = lambda: time.monotonic() + LONG_S

    answer = await submit(ada, issuer.mint(aud="other"))

    assert answer.code == 403
    assert not slurm.read("script")


async def test_a_login_confirms_the_projects(ada: Any, issuer: Any) -> None:
    """After the login the user can start servers again, also with another browser."""
    pass_time(ada, LONG_S)
    ada.cookies.clear()

    await ada.login(issuer.mint())
    pass_time(ada, LONG_S + 301)

    assert (await ada.request("/hub/spawn")).code == 200


@pytest.mark.parametrize(("later_s", "starts"), [(HALF_A_DAY_S - 60, True), (LONG_S, False)])
async def test_a_token_of_the_hub_does_not_outlive_the_projects(
    ada: Any, slurm: Any, until: Any, later_s: int, *, starts: bool
) -> None:
    """A token of the REST API starts servers only while the projects are valid."""
    token = ada.user_token()
    pass_time(ada, later_s)
    ada.app.tornado_application.settings["slow_spawn_timeout"] = 0.2

    answer = await ada.api("/users/ada/server", token=token, body=CHOICE)

    if starts:
        assert answer.code in {201, 202}
        await until(lambda: slurm.read("script"))
    else:
        assert answer.code == 403
        assert "log in again" in json.loads(answer.body)["message"]
        assert not slurm.read("script")


async def test_an_administrator_cannot_start_a_server_for_outdated_projects(
    hub_maker: Any, hub_config: Any, issuer: Any, slurm: Any
) -> None:
    """Only requests of the user confirm the projects."""
    hub_config.BricsAuthenticator.admin_users = {"grace"}
    hub = await hub_maker(hub_config)
    await hub.login(issuer.mint())
    hub.cookies.clear()
    pass_time(hub, LONG_S)
    grace = issuer.mint(short_name="grace", projects=projects_of("grace", "project1"))
    await hub.login(grace)
    await hub.request("/hub/home")

    answer = await submit(hub, grace, of="ada")

    assert answer.code == 403
    assert b"Please log in again." in answer.body
    assert not slurm.read("script")
    assert (await hub.request("/hub/home", token=grace)).code == 200


async def test_servers_are_never_cut_off(ada: Any) -> None:
    """A server's requests with its own token are served, however old the projects are."""
    token = ada.user_token()
    pass_time(ada, 10 * LONG_S)

    answers = [await ada.api("/user", method="GET", token=token) for _ in range(2)]

    assert [json.loads(answer.body)["name"] for answer in answers] == ["ada", "ada"]


@pytest.mark.parametrize(
    ("changes", "later_s", "status"),
    [
        ({"exp": 1_700_000_300, "iat": 1_700_000_000}, 301, 200),
        ({"exp": 1_700_000_300, "iat": 1_700_000_000}, LONG_S, 302),
        ({"aud": "other"}, 301, 200),
        ({"projects": []}, 301, 200),
        ({"short_name": "bob", "projects": projects_of("bob", "project1")}, 301, 302),
    ],
    ids=str,
)
async def test_a_bad_later_token_changes_nothing(
    ada: Any, issuer: Any, changes: dict[str, Any], later_s: int, *, status: int
) -> None:
    """A bad token changes nothing, and one of another user redirects to the login."""
    pass_time(ada, later_s)

    answer = await ada.request("/hub/home", token=issuer.mint(**changes))

    assert answer.code == status
    assert await known_projects(ada) == {"project1.portal", "project2.portal"}


NO_PROJECTS: list[Any] = [
    {},
    "{}",
    {"project1.portal": {"name": "1", "resources": [{"name": "elsewhere", "username": "ada.project1"}]}},
    {"project1.portal": {"name": "1", "resources": [{"name": PLATFORM, "username": "bob.project1"}]}},
    {"project1.portal": {"name": "1", "resources": []}},
]


@pytest.mark.parametrize("where", ["/hub/home", "/hub/login", "/hub/spawn"])
@pytest.mark.parametrize("claim", NO_PROJECTS, ids=json.dumps)
async def test_a_token_that_denies_all_projects_ends_them(
    ada: Any, issuer: Any, slurm: Any, claim: Any, where: str
) -> None:
    """After a valid token without a project, neither cookie nor API token nor a restarted hub starts a server."""
    token = ada.user_token()
    pass_time(ada, 301)
    denied = await ada.request(where, token=issuer.mint(projects=claim))
    pass_time(ada, 302)

    answers = [
        await ada.request("/hub/spawn"),
        await submit(ada, None),
        await ada.api("/users/ada/server", token=token, body=CHOICE),
    ]
    ada.app.authenticator.confirmations = type(ada.app.authenticator.confirmations)()
    restarted = await ada.api("/users/ada/server", token=token, body=CHOICE)

    assert denied.code == (403 if where == "/hub/login" else 302)
    assert {answer.code for answer in answers} <= {302, 400, 403}
    assert restarted.code in {400, 403}
    assert await known_projects(ada) == set()
    assert not slurm.read("script")


async def test_a_blocked_user_starts_no_server_with_a_cookie(ada: Any, slurm: Any) -> None:
    """A user whom the site blocks must log in again, which the login then refuses."""
    token = ada.user_token()
    ada.app.authenticator.blocked_users = {"ada"}
    pass_time(ada, 301)

    assert (await ada.request("/hub/spawn")).code == 302
    assert (await ada.api("/users/ada/server", token=token, body=CHOICE)).code == 403
    assert not slurm.read("script")


def issued(seconds_ago: float, *names: str) -> dict[str, Any]:
    """Return the claims of a token that was issued some time ago."""
    return {"iat": time.time() - seconds_ago, "projects": projects_of("ada", *names)}


@pytest.mark.parametrize("where", ["/hub/login", "/hub/home"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_older_token_does_not_restore_a_withdrawn_project(
    ada: Any, issuer: Any, where: str, *, restarted: bool
) -> None:
    """A token that was issued before the latest one changes no projects, but it still logs in."""
    older, newer = issuer.mint(**issued(60, "project1", "project2")), issuer.mint(**issued(-1, "project2"))
    await ada.login(newer)
    if restarted:
        ada.app.authenticator.confirmations = type(ada.app.authenticator.confirmations)()
    pass_time(ada, 301)

    answer = await ada.request(where, token=older)

    assert answer.code in {200, 302}
    assert (await ada.request("/hub/home")).code == 200
    assert await known_projects(ada) == {"project2.portal"}


async def test_an_older_token_does_not_undo_a_denial(ada: Any, issuer: Any) -> None:
    """After a token that denied all projects, only a later one logs in."""
    await ada.login(issuer.mint(**issued(2)))
    await ada.login(issuer.mint(**issued(-2)))

    older, later = issuer.mint(**issued(60, "project1")), issuer.mint(**issued(-3, "project1"))

    assert (await ada.login(older)).code == 403
    assert (await ada.login(later)).code == 302


async def test_the_same_token_logs_in_again(ada: Any, issuer: Any) -> None:
    """A token is not older than itself, nor than others of the same second."""
    token = issuer.mint(**issued(10, "project2"))
    ada.app.users.delete(next(iter(ada.app.users.values())))

    assert [(await ada.login(token)).code for _ in range(3)] == [302] * 3
    assert await known_projects(ada) == {"project2.portal"}


async def test_an_unavailable_issuer_does_not_log_users_out(ada: Any, issuer: Any) -> None:
    """While tokens cannot be checked, the projects stay valid for their usual time."""
    token = issuer.mint()
    ada.app.authenticator.oidc_server = "http://127.0.0.1:1/nobody"
    pass_time(ada, 301)

    assert (await ada.request("/hub/home", token=token)).code == 200


async def test_a_blocked_user_is_redirected_to_the_login(ada: Any, issuer: Any) -> None:
    """A later token is checked as at a login, with the site's lists, and the login then says no."""
    ada.app.authenticator.blocked_users = {"ada"}
    pass_time(ada, 301)

    assert (await ada.request("/hub/home", token=issuer.mint())).code == 302
    assert (await ada.login(issuer.mint())).code == 403


async def test_a_restarted_hub_counts_projects_as_confirmed(ada: Any) -> None:
    """A restart of the hub restarts the time: users stay logged in, but not for ever."""
    authenticator = ada.app.authenticator
    ada.app.authenticator.confirmations = type(authenticator.confirmations)()
    pass_time(ada, 0)
    assert (await ada.request("/hub/home")).code == 200

    pass_time(ada, LONG_S)
    assert (await ada.request("/hub/home")).code == 302


async def test_logout_works_with_outdated_projects(ada: Any) -> None:
    """The cookie goes, though JupyterHub does not take the user for logged in."""
    pass_time(ada, LONG_S)

    answer = await ada.request("/hub/logout")

    assert any("hub-login=" in cookie and "expires" in cookie for cookie in answer.headers.get_list("Set-Cookie"))
