"""GET requests, which any link or image of another site can send: they start nothing, and do not log out."""

from typing import Any
from urllib.parse import urlencode

import pytest
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]

from bricsauthenticator.hub_guard import hub_handlers

pytestmark = pytest.mark.asyncio

CHOICE = {"brics_project": "project2.portal", "runtime": "08:00:00", "ngpus": "4", "partition": "debug"}
PAGES = ["/hub/spawn", "/hub/spawn/ada"]
COOKIE = "jupyterhub-hub-login"


@pytest.mark.parametrize("prefix", ["opt-", ""])
@pytest.mark.parametrize("page", PAGES)
async def test_a_link_with_options_fills_in_the_form(ada: Any, slurm: Any, page: str, prefix: str) -> None:
    """A link to the form selects its options, and starts nothing until the user submits the form."""
    query = urlencode({f"{prefix}{name}": value for name, value in CHOICE.items()})

    answer = await ada.request(f"{page}?{query}")

    page_text = answer.body.decode()
    assert answer.code == 200
    for value in ("project2.portal", "08:00:00", "4"):
        assert f'<option value="{value}" selected>' in page_text
    assert page_text.count(" selected>") == 3
    assert 'name="partition" value="debug"' in page_text
    assert not slurm.read("script")
    assert not ada.spawner().active


@pytest.mark.parametrize(
    "query",
    ["opt-runtime=99:99:99&opt-ngpus=9&opt-brics_project=x", "opt-partition=%22%3E%3Cscript%3Eattack()%3C/script%3E",
     "opt-cmd=id", "opt-=1", "opt-runtime=01:00:00&opt-runtime=02:00:00", "cmd=id&opt-prologue=id",
     "opt-partition=x%0ay"],
)  # fmt: skip
async def test_a_link_with_impossible_options_shows_the_form(ada: Any, slurm: Any, all_logs: Any, query: str) -> None:
    """Options that the form does not offer are ignored, and nothing of them is on the page as markup."""
    answer = await ada.request(f"/hub/spawn?{query}")

    assert answer.code == 200
    assert b"attack()</script>" not in answer.body
    assert "Traceback" not in all_logs.text
    assert not slurm.read("script")


async def test_no_get_starts_a_server(ada: Any, slurm: Any) -> None:
    """No page of the hub starts a server by a GET, whatever its query."""
    query = urlencode({f"opt-{name}": value for name, value in CHOICE.items()} | {"next": "/hub/home"})
    for page in (
        *PAGES,
        "/hub/home",
        "/hub/user/ada/",
        "/user/ada/lab",
        "/hub/user-redirect/lab",
        "/hub/spawn-pending/ada",
    ):
        await ada.request(f"{page}?{query}")

    assert not slurm.read("script")
    assert not ada.spawner().active


ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
]


@pytest.mark.parametrize("headers", ELSEWHERE, ids=lambda headers: " ".join(headers.values()))
async def test_another_site_cannot_log_a_user_out(ada: Any, headers: dict[str, str]) -> None:
    """A link or an image on another page leads home and ends no session."""
    answer = await ada.request("/hub/logout", headers=headers)

    assert (answer.code, answer.headers["Location"]) == (302, "/hub/home")
    assert (await ada.request("/hub/home")).code == 200


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
async def test_a_cookie_from_before_the_logout_is_worthless(ada: Any, headers: dict[str, str]) -> None:
    """After a logout no copy of the login cookie is accepted, in any browser."""
    kept = {COOKIE: ada.cookies[COOKIE]}

    logout = await ada.request("/hub/logout", headers=headers)
    ada.cookies = dict(kept)
    home = await ada.request("/hub/home")
    api = await ada.request("/hub/api/user")

    assert logout.code == 200
    assert logout.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert (home.code, api.code) == (302, 403)


async def test_a_new_login_after_a_logout_works(ada: Any, issuer: Any) -> None:
    """The next login gets a cookie that is accepted."""
    await ada.request("/hub/logout")
    ada.cookies.clear()

    await ada.login(issuer.mint())

    assert (await ada.request("/hub/home")).code == 200


async def test_a_bad_token_leaves_no_cookie_valid(ada: Any, issuer: Any) -> None:
    """Where a bad token ends the session, copies of its cookie are worthless, too."""
    ada.app.authenticator.invalid_jwt_logout = True
    kept = {COOKIE: ada.cookies[COOKIE]}

    await ada.login(issuer.mint(aud="other"))
    ada.cookies = kept

    assert (await ada.request("/hub/home")).code == 302


async def test_a_logout_of_another_authenticators_user_does_the_same(
    hub_maker: Any, hub_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With any authenticator a cookie from before the logout is worthless."""
    hub_config.JupyterHub.authenticator_class = "dummy"
    hub_config.Authenticator.allow_all = True
    hub_config.DummyAuthenticator.password = "a password of the tests"
    made = JupyterHub.initialize

    async def initialize(app: Any, argv: object = None) -> None:
        hub_handlers.install_in_starting_hub()  # as the configuration does
        await made(app, argv)

    monkeypatch.setattr(JupyterHub, "initialize", initialize)
    hub = await hub_maker(hub_config)
    await hub.request("/hub/login")
    form = urlencode({"username": "ada", "password": "a password of the tests", "_xsrf": hub.cookies["_xsrf"]})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    await hub.request("/hub/login", method="POST", body=form, headers=kind)
    kept = dict(hub.cookies)
    assert (await hub.request("/hub/home")).code == 200

    await hub.request("/hub/logout")
    hub.cookies = kept

    assert (await hub.request("/hub/home")).code == 302


@pytest.mark.parametrize("https", [False, True])
async def test_cookies_are_protected(hub_maker: Any, hub_config: Any, issuer: Any, *, https: bool) -> None:
    """Every cookie of the hub is HttpOnly and SameSite=Lax, and Secure if the browser uses https."""
    hub = await hub_maker(hub_config, xheaders=True)
    headers = {"X-Forwarded-Proto": "https"} if https else {}

    answers = [
        await hub.request("/hub/login", token=issuer.mint(), headers=headers),
        await hub.request("/hub/home", headers=headers),
        await hub.request("/hub/logout", headers=headers),
    ]

    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("Set-Cookie")]
    assert {cookie.partition("=")[0] for cookie in cookies} >= {COOKIE, "_xsrf", "jupyterhub-session-id"}
    for cookie in cookies:
        attributes = cookie.split("; ")
        assert {"HttpOnly", "SameSite=Lax"} <= set(attributes), cookie
        assert ("Secure" in attributes) is https, cookie
