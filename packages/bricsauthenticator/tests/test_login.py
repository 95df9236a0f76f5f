"""Logging in to a real hub with tokens of a real issuer."""

import asyncio
import base64
import json
import logging
import math
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from tornado.simple_httpclient import HTTPStreamClosedError
from traitlets import TraitError
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator

PLATFORM = "brics.slurm.cluster"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def issuer(lasting: tuple[Any, Any]) -> Any:
    """Return the module's issuer, with its one key and no request yet."""
    _, issuer = lasting
    issuer.keys = [issuer.first_key]
    issuer.requests.clear()
    return issuer


@pytest.fixture
def hub(lasting: tuple[Any, Any], issuer: Any) -> Any:
    """Return the module's hub, with no user and no keys yet."""
    hub, _ = lasting
    hub.cookies.clear()
    for user in list(hub.app.users.values()):
        hub.app.users.delete(user)
    authenticator = hub.app.authenticator
    authenticator.blocked_users, authenticator.allowed_users, authenticator.admin_users = set(), set(), set()
    authenticator.allow_all = True
    authenticator.oidc_server = ""
    authenticator._key_store()
    authenticator.oidc_server = issuer.url
    return hub


def encode(value: object) -> str:
    """Encode a value as a part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def assert_refused(hub: Any, token: str | None, status: int) -> str:
    """Log in, check that it is refused with no trace left, and return the page."""
    users = set(hub.app.users.keys())
    begun = time.monotonic()

    response = await hub.request("/hub/login", token=token)

    assert response.code == status
    assert time.monotonic() - begun < 1
    assert not response.headers.get_list("Set-Cookie")
    assert set(hub.app.users.keys()) == users
    return str(response.body.decode())


async def test_the_token_logs_in_and_its_projects_become_auth_state(hub: Any, issuer: Any) -> None:
    """A valid token logs in, and its projects on this platform become auth_state."""
    response = await hub.login(issuer.mint(), next_url="/hub/spawn")

    assert (response.code, response.headers["Location"]) == (302, "/hub/spawn")
    assert "jupyterhub-hub-login" in hub.cookies
    user = next(user for user in hub.app.users.values() if user.name == "ada")
    assert await user.get_auth_state() == {
        "project1.portal": {"name": "Project <b>1</b>", "username": "ada.project1"},
        "project2.portal": {"name": "Project 2", "username": "ada.project2"},
    }


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
async def test_every_algorithm_is_accepted(  # noqa: PLR0913 - a table and the fixtures
    hub: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch, new_key: Any, algorithm: str, *, named: bool
) -> None:
    """The issuer may sign with any accepted algorithm, whether or not its key names the algorithm."""
    key = new_key(algorithm, "k")
    entry = {name: value for name, value in key.public_jwk.items() if named or name != "alg"}
    monkeypatch.setattr(issuer, "raw_keys", json.dumps({"keys": [entry]}).encode())

    assert (await hub.login(issuer.mint(key=key))).code == 302


@pytest.mark.parametrize("changes", [{"aud": ["hub-client"]}, {"aud": ["hub-client", "other"], "azp": "hub-client"}])
async def test_a_token_for_a_list_of_audiences_logs_in(hub: Any, issuer: Any, changes: dict[str, Any]) -> None:
    """A token may name its audience in a list, and further ones if it was issued to the hub."""
    assert (await hub.login(issuer.mint(**changes))).code == 302


def project(name: object = "P", **resource: object) -> dict[str, Any]:
    """Return a project with one resource on this platform."""
    return {"name": name, "resources": [{"name": PLATFORM, **resource}]}


USELESS: list[dict[str, Any]] = [
    {"q.portal": {"name": "Q", "resources": [{"name": "elsewhere", "username": "x"}]}},
    {"q.portal": project(None, username="ada.q")},
    {"q.portal": project("\ud800", username="ada.q")},
    {"q.portal": project("Q" * 300, username="ada.q")},
    {"q.portal": project(username="bob.q")},
    {"q.portal": project(username="root")},
    {"q.portal": project(username="ada.q\n")},
    {"q.portal": project(username=None)},
    {"q.portal": project()},
    {"q.portal": []},
    {"q.portal": None},
    {"q.portal": {"name": "Q"}},
    {"q.portal": {"name": "Q", "resources": {}}},
    {"q.portal": {"name": "Q", "resources": [{"name": PLATFORM, "username": "ada.q"},
                                             {"name": PLATFORM, "username": "root"}]}},
    {"q": project(username="ada.q")},
    {"": project(username="ada.")},
    {"\ud800.portal": project(username="ada.\ud800")},
    {"q.\n": project(username="ada.q")},
]  # fmt: skip


@pytest.mark.parametrize("useless", USELESS, ids=lambda useless: json.dumps(useless)[:70])
async def test_a_useless_project_costs_no_other_project(
    hub: Any, issuer: Any, all_logs: Any, useless: dict[str, Any]
) -> None:
    """A project that cannot be used is skipped with a line in the log, and the user gets the others."""
    good = {"p.portal": project(username="ada.p")}
    token = issuer.mint(projects={**useless, **good})

    assert (await hub.login(token)).code == 302

    user = next(user for user in hub.app.users.values() if user.name == "ada")
    assert set(await user.get_auth_state()) == {"p.portal"}
    assert ("Skipped a project of ada: " in all_logs.text) is ("elsewhere" not in json.dumps(useless))
    assert (await hub.request("/hub/spawn")).code == 200


async def test_a_resource_that_names_no_platform_is_ignored(hub: Any, issuer: Any) -> None:
    """A resource without a name is on another platform, and costs nothing."""
    resources = ["x", {}, {"name": 5}, {"name": PLATFORM, "username": "ada.p"}]

    assert (await hub.login(issuer.mint(projects={"p.portal": {"name": "P", "resources": resources}}))).code == 302


async def test_projects_may_be_a_json_string(hub: Any, issuer: Any) -> None:
    """The projects claim may be a string that holds the object."""
    projects = {"p.portal": {"name": "P", "resources": [{"name": PLATFORM, "username": "ada.p"}]}}

    assert (await hub.login(issuer.mint(projects=json.dumps(projects)))).code == 302


async def test_another_user_of_the_same_browser_replaces_the_first(hub: Any, issuer: Any) -> None:
    """The token decides at each login, not the cookie that is left from before."""
    projects = {"p.portal": {"name": "P", "resources": [{"name": PLATFORM, "username": "bob.p"}]}}
    await hub.login(issuer.mint())

    await hub.login(issuer.mint(short_name="bob", projects=projects))

    assert b"bob" in (await hub.request("/hub/home")).body


CLAIMS: list[dict[str, Any]] = [
    *({name: ...} for name in ("aud", "exp", "iss", "iat", "short_name", "projects")),
    *({name: None} for name in ("aud", "exp", "iss", "iat", "short_name", "projects")),
    {"aud": "other"},
    {"aud": ["other"]},
    {"aud": ["hub-client", "other"]},
    {"aud": ["hub-client", "other"], "azp": "other"},
    {"iss": "https://issuer.example"},
    {"iss": ["x"]},
    {"exp": "9999999999"},
    {"exp": True},
    {"exp": 10**400},
    {"exp": float("inf")},
    {"exp": 4102444800},
    {"iat": 4102444800, "exp": 4102444900},
    {"iat": "now"},
    {"nbf": 4102444800},
    {"nbf": None},
    {"short_name": 5},
    {"typ": "Bearer"},
    {"azp": "another-client"},
    {"projects": []},
    {"projects": "{"},
    {"projects": "[" * 5000},
    {"projects": {"p.portal": []}},
    {"projects": {"p.portal": {"name": None, "resources": []}}},
    {"projects": {"p.portal": {"name": "\ud800", "resources": []}}},
    {"projects": '{"p.portal": {}, "p.portal": {}}'},
    {"projects": {"p.portal": {"name": "P", "resources": {}}}},
    {"projects": {"p.portal": {"name": "P", "resources": ["x"]}}},
    {"projects": {"p.portal": {"name": "P", "resources": [{"name": PLATFORM, "username": None}]}}},
]


@pytest.mark.parametrize("claims", CLAIMS, ids=lambda claims: json.dumps(claims, default=str)[:60])
async def test_wrong_claims_are_refused(hub: Any, issuer: Any, all_logs: Any, claims: dict[str, Any]) -> None:
    """A token with a missing or wrong claim is refused and never logged."""
    token = issuer.mint(**claims)

    await assert_refused(hub, token, 401)

    assert "Login refused with 401" in all_logs.text
    assert token not in all_logs.text


@pytest.mark.parametrize(
    ("claim", "by_s", "status"), [("exp", -3, 302), ("exp", -7, 401), ("nbf", 3, 302), ("nbf", 7, 401)]
)
async def test_the_leeway_is_exact(hub: Any, issuer: Any, claim: str, by_s: int, status: int) -> None:
    """With a leeway of five seconds a token may be three seconds out of date and not seven."""
    assert (await hub.login(issuer.mint(**{claim: int(time.time()) + by_s}))).code == status


@pytest.mark.parametrize(
    "short_name", ["../admin", "a/b", "o'x; id", "$(id)", "ada\n", "a" * 300, "root", "", "Ada", "-u", "ada.x", "é"]
)
async def test_names_that_could_reach_a_shell_are_refused(hub: Any, issuer: Any, short_name: str) -> None:
    """A short_name that is not a plain lower-case name is refused with 403."""
    await assert_refused(hub, issuer.mint(short_name=short_name), 403)


@pytest.mark.parametrize("username", ["root", "jupyterspawner", "-u root", "x; id", "bob.p", "ada.other", "ada.p\n"])
async def test_accounts_of_other_users_are_refused(hub: Any, issuer: Any, username: str) -> None:
    """A username on this platform that is not exactly USER.PROJECT is refused with 403."""
    projects = {"p.portal": {"name": "P", "resources": [{"name": PLATFORM, "username": username}]}}

    await assert_refused(hub, issuer.mint(projects=projects), 403)


async def test_a_user_without_a_project_reads_the_reason(hub: Any, issuer: Any) -> None:
    """Projects on other platforms do not count, and the page says what is missing."""
    projects = {"p.portal": {"name": "P", "resources": [{"name": "elsewhere", "username": "ada.p"}]}}

    page = await assert_refused(hub, issuer.mint(projects=projects), 403)

    assert "You have no project on this platform." in page


async def test_jupyterhubs_own_lists_apply(hub: Any, issuer: Any) -> None:
    """A user who is blocked, or not allowed by the site, is refused with 403."""
    hub.app.authenticator.blocked_users = {"ada"}
    await assert_refused(hub, issuer.mint(), 403)

    hub.app.authenticator.blocked_users = set()
    hub.app.authenticator.allow_all = False
    await assert_refused(hub, issuer.mint(), 403)

    hub.app.authenticator.allowed_users = {"ada"}
    assert (await hub.login(issuer.mint())).code == 302


async def test_a_site_that_manages_groups_keeps_its_users(
    hub: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With manage_groups, which refuses answers without groups, a login leaves the user's groups as they are."""
    monkeypatch.setattr(hub.app.authenticator, "manage_groups", True)
    assert (await hub.login(issuer.mint())).code == 302
    user = hub.app.users["ada"]
    user.sync_groups(["site-admins"])

    assert (await hub.login(issuer.mint())).code == 302

    assert [group.name for group in user.groups] == ["site-admins"]


async def test_a_sites_hook_can_change_the_auth_state(hub: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """post_auth_hook runs, as with every authenticator, and what it returns is what counts."""

    def without_the_second(_authenticator: Any, _handler: Any, model: dict[str, Any]) -> dict[str, Any]:
        del model["auth_state"]["project2.portal"]
        return model

    monkeypatch.setattr(hub.app.authenticator, "post_auth_hook", without_the_second)

    await hub.login(issuer.mint())

    user = next(user for user in hub.app.users.values() if user.name == "ada")
    assert set(await user.get_auth_state()) == {"project1.portal"}


@pytest.mark.parametrize(
    "headers",
    [
        {"jku": "http://127.0.0.1:1/jwks"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"crit": ["exp"]},
        {"typ": "at+jwt"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": 7},
        {"kid": None},
        {"kid": "k" * 10_000},
    ],
    ids=lambda headers: json.dumps(headers)[:40],
)
async def test_headers_that_choose_a_key_are_refused(hub: Any, issuer: Any, headers: dict[str, Any]) -> None:
    """A token with a key, or the URL of one, is refused without a request to that URL."""
    payload = issuer.mint().split(".")[1]
    message = f"{encode({'alg': 'RS256', 'typ': 'JWT', 'kid': 'rsa-1', **headers})}.{payload}"
    signature = jwt.get_algorithm_by_name("RS256").sign(message.encode(), issuer.keys[0].private)

    await assert_refused(hub, f"{message}.{jwt.utils.base64url_encode(signature).decode()}", 401)

    assert set(issuer.requests) <= {".well-known/openid-configuration", "jwks"}


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/hub/home\r\nLocation: https://evil.example/"],
)
async def test_a_login_never_redirects_to_another_site(hub: Any, issuer: Any, elsewhere: str) -> None:
    """No target in a link to the login page redirects to another site."""
    response = await hub.login(issuer.mint(), next_url=elsewhere)

    assert response.code == 302
    place = response.headers["Location"]
    assert place.startswith("/")
    assert place[1:2] not in {"/", "\\"}


async def test_only_users_on_the_sites_list_log_in() -> None:
    """If the site lists its users, a project alone does not permit a login."""
    assert BricsAuthenticator().allow_all
    assert not BricsAuthenticator(allowed_users={"grace"}).allow_all


async def test_the_algorithm_is_ours_to_choose(hub: Any, issuer: Any, new_key: Any) -> None:
    """A token with no signature, or one made with the public or a foreign key, is refused."""
    payload = issuer.mint().split(".")[1]
    pem = (
        issuer.keys[0]
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed_with_public = jwt.api_jws.encode(b"{}", pem.replace(b"PUBLIC", b"SECRET"), "HS256", {"kid": "rsa-1"})
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 5, ["RS256"]):
        await assert_refused(hub, f"{encode({'alg': algorithm, 'kid': 'rsa-1'})}.{payload}.AA", 401)
    await assert_refused(hub, signed_with_public, 401)
    await assert_refused(hub, issuer.mint(key=new_key("RS256", "rsa-1")), 401)


@pytest.mark.parametrize("token", [None, "", "a.b", "a.b.c.d.e", "?.?.?", "x" * 60_000, "\xe9.\xe9.\xe9", "Bearer x"])
async def test_values_that_are_not_tokens_are_refused(hub: Any, token: str | None) -> None:
    """A request without a signed JWT is refused with 401, and one whose header is not UTF-8 with 400."""
    await assert_refused(hub, token, 400 if token and not token.isascii() else 401)


async def test_two_tokens_are_refused(hub: Any, issuer: Any) -> None:
    """A repeated header is not a choice between two users."""
    response = await hub.request("/hub/login", token=[issuer.mint(), issuer.mint()])

    assert response.code == 401


async def test_there_is_no_login_form(hub: Any, issuer: Any) -> None:
    """A POST to the login page is answered with 405, never with an error of the server."""
    response = await hub.request("/hub/login", method="POST", token=issuer.mint(), body="username=ada")

    assert response.code == 405


async def test_a_logout_redirects_to_the_front_door(hub: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A logout deletes the hub's cookie and redirects to the front door's logout, if any."""
    await hub.login(issuer.mint())
    page = await hub.request("/hub/logout")
    monkeypatch.setattr(hub.app.authenticator, "logout_redirect_url", "/jupyter/_oidc/sign_out?rd=%2Fjupyter%2F")
    await hub.login(issuer.mint())

    redirected = await hub.request("/hub/logout")

    assert page.code == 200
    assert (redirected.code, redirected.headers["Location"]) == (302, "/jupyter/_oidc/sign_out?rd=%2Fjupyter%2F")
    assert any("hub-login=" in cookie and "expires" in cookie for cookie in redirected.headers.get_list("Set-Cookie"))


async def test_a_refusal_is_one_line_beside_the_request_log(hub: Any, issuer: Any, all_logs: Any) -> None:
    """The log has one line for the reason and one for the request, without the token."""
    token = issuer.mint(aud="other")
    all_logs.clear()

    await assert_refused(hub, token, 401)

    lines = [record.getMessage() for record in all_logs.records if record.levelno >= logging.INFO]
    assert lines[0] == "Login refused with 401: wrong audience"
    assert [line[:20] for line in lines[1:]] == ["401 GET /hub/login ("]
    assert not [part for part in token.split(".") if part in all_logs.text]


@pytest.mark.parametrize("room_kb", [8, 31])
async def test_large_tokens_are_accepted(hub: Any, issuer: Any, room_kb: int) -> None:
    """A user with many projects logs in.

    The hub accepts every header that the proxy accepts.
    """
    projects = json.dumps({"p.portal": {"name": "P", "resources": [{"name": PLATFORM, "username": "ada.p"}]}})
    empty = len(issuer.mint(projects=projects))
    token = issuer.mint(projects=projects + " " * ((room_kb * 1024 - empty) * 3 // 4))

    assert 0 <= room_kb * 1024 - len(token) < 8
    assert (await hub.login(token)).code == 302


async def test_the_hub_survives_a_huge_header(hub: Any, issuer: Any) -> None:
    """A header that is too large for the proxy at most ends its connection, and logs no user in."""
    with pytest.raises(HTTPStreamClosedError):
        await hub.request("/hub/login", token="x" * 70_000)

    assert not set(hub.app.users.keys())
    assert (await hub.login(issuer.mint())).code == 302


async def test_a_discovered_issuer_with_another_name_is_refused(hub: Any, issuer: Any) -> None:
    """When the document of the configured issuer names another one, every login is refused."""
    issuer.extra_discovery = {"issuer": f"{issuer.url}2"}
    try:
        await assert_refused(hub, issuer.mint(iss=f"{issuer.url}2"), 503)
        await assert_refused(hub, issuer.mint(), 503)
    finally:
        issuer.extra_discovery = {}


async def test_without_the_issuer_and_without_keys_the_login_is_unavailable(hub: Any, issuer: Any) -> None:
    """When the issuer has never been reached, the answer is 503 and says to try again."""
    hub.app.authenticator.oidc_server = "http://127.0.0.1:1/nobody"

    page = await assert_refused(hub, issuer.mint(), 503)

    assert "try again" in page


async def test_many_unknown_keys_cost_one_fetch(hub: Any, issuer: Any, new_key: Any) -> None:
    """Two hundred tokens with unknown keys are refused with a single fetch.

    Fifty of them arrive at once, and each names another key.
    """
    await hub.login(issuer.mint())
    hub.app.authenticator._key_store()._tried_at = -math.inf  # the login a moment ago was a look, too
    foreign = new_key("ES256", "unknown")
    tokens = [issuer.mint(key=foreign, headers={"kid": f"unknown-{number}"}) for number in range(200)]
    issuer.requests.clear()

    for burst in range(0, len(tokens), 50):
        sent = (hub.request("/hub/login", token=token, cookies=False) for token in tokens[burst : burst + 50])
        assert {answer.code for answer in await asyncio.gather(*sent)} == {401}

    assert issuer.requests.count("jwks") == 1


async def test_the_site_names_an_issuer_by_url() -> None:
    """An oidc_server that is not a URL is refused by name, when the hub starts."""
    config = Config()
    config.BricsAuthenticator.oidc_server = "file:///etc/passwd"

    with pytest.raises(TraitError, match="oidc_server"):
        BricsAuthenticator(config=config)
