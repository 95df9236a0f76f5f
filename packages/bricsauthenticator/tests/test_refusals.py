"""The page of a refused login and the lines in the hub's log."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError

from bricsauthenticator import BricsAuthenticator

pytestmark = pytest.mark.asyncio

SIGN_OUT = "/jupyter/_oidc/sign_out?rd=%2Fjupyter%2F"
HERE = "/hub/login?next=%2Fhub%2Fspawn"
EXPIRED = {"iat": 1_700_000_000, "exp": 1_700_000_300}
NO_PROJECT: dict[str, Any] = {"projects": {}}


class Page(HTMLParser):
    """The parts of a page that a screen reader needs: language, title, headings, text and links."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.language = ""
        self.texts: dict[str, list[str]] = {"title": [], "h1": [], "p": [], "a": []}
        self.links: dict[str, str] = {}
        self._open: list[str] = []
        self._target = ""
        self.feed(response.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where we are."""
        if tag == "html":
            self.language = dict(attrs).get("lang") or ""
        if tag in self.texts:
            self._open.append(tag)
            self._target = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        """Leave it again."""
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        for tag in self._open:
            self.texts[tag].append(data.strip())
        if "a" in self._open:
            self.links[data.strip()] = self._target


async def refused_with(hub: Any, issuer: Any, status: int, **kwargs: Any) -> Any:
    """Return the answer to a login that is refused with this status."""
    changes = {401: EXPIRED, 403: NO_PROJECT, 503: {}}[status]
    if status == 503:
        hub.app.authenticator.oidc_server = "http://127.0.0.1:1/nobody"
    answer = await hub.request(HERE, token=issuer.mint(**changes), **kwargs)
    assert answer.code == status
    return answer


@pytest.mark.parametrize(
    ("status", "heading", "sentence", "link", "target"),
    [
        (401, "Please sign in", "has expired", "Sign in", HERE),
        (403, "You may not use this JupyterHub", "ask the leader of", "Sign in as another user", "/hub/logout"),
        (503, "Nobody can sign in at the moment", "try again in a minute", "Try again", HERE),
    ],
)  # fmt: skip
async def test_the_page_names_the_next_step(  # noqa: PLR0913 - a table and the fixtures
    hub: Any, issuer: Any, *, status: int, heading: str, sentence: str, link: str, target: str
) -> None:
    """The page of a refusal has a heading, the reason and a link to the next step.

    It is JupyterHub's page, needs no script, and says all of that in words.
    """
    answer = await refused_with(hub, issuer, status)

    page = Page(answer)
    assert page.language == "en"
    assert [text for text in page.texts["h1"] if text] == [heading]
    assert page.texts["title"] == [f"{heading} - JupyterHub"]
    assert sentence in " ".join(page.texts["p"])
    assert page.links[link] == target
    assert b"jupyterhub-logo" in answer.body


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_the_page_sets_no_cookie(hub: Any, issuer: Any, status: int) -> None:
    """No cookie is set, and nothing of the token or the user is shown."""
    answer = await refused_with(hub, issuer, status)

    assert not answer.headers.get_list("Set-Cookie")
    sent = answer.request.headers["X-Auth-Id-Token"]
    assert not [part for part in sent.split(".") if part in answer.body.decode() + str(answer.headers)]
    assert b"ada" not in answer.body


async def test_only_an_outage_has_retry_after(hub: Any, issuer: Any) -> None:
    """Retry-After is for what passes by itself, and agrees with the sentence on the page."""
    answers = [await refused_with(hub, issuer, status) for status in (401, 403, 503)]

    assert [answer.headers.get("Retry-After") for answer in answers] == [None, None, "60"]


async def test_the_page_does_not_name_the_previous_user(hub: Any, issuer: Any) -> None:
    """The page of a refusal does not name another user of the same browser."""
    await hub.login(issuer.mint())

    answer = await refused_with(hub, issuer, 403)

    assert b"ada" not in answer.body
    assert b"/hub/home" not in answer.body


async def test_the_site_sets_the_contact(hub_maker: Any, hub_config: Any, issuer: Any) -> None:
    """The site sets the contact of a refused user, which is escaped as text."""
    hub_config.BricsAuthenticator.support_contact = "help@example.org <b>"
    hub = await hub_maker(hub_config)

    answer = await refused_with(hub, issuer, 403)

    assert b"or help@example.org &lt;b&gt;." in answer.body


async def test_signing_in_again_leads_through_the_front_door(hub: Any, issuer: Any) -> None:
    """The page links to the front door's logout if the front door has a session.

    The session holds the bad token, so that only its end leads to a new one.
    """
    hub.app.authenticator.logout_redirect_url = SIGN_OUT

    assert Page(await refused_with(hub, issuer, 401)).links["Sign in"] == SIGN_OUT


async def test_a_site_may_have_pages_of_its_own(hub_maker: Any, hub_config: Any, issuer: Any, tmp_path: Path) -> None:
    """A site's template for the status replaces this package's template.

    As with all of JupyterHub's pages, it is in template_paths.
    """
    (tmp_path / "401.html").write_text("The site's own page: {{ message }}")
    hub_config.JupyterHub.template_paths = [str(tmp_path)]
    hub = await hub_maker(hub_config)

    own, ours = await refused_with(hub, issuer, 401), await refused_with(hub, issuer, 403)

    assert own.body.decode().startswith("The site's own page: Your sign-in has expired.")
    assert b"leader of your project" in ours.body


async def test_a_retry_does_not_sign_out(hub: Any, issuer: Any) -> None:
    """While the issuer is unavailable, the front door's session stays."""
    hub.app.authenticator.logout_redirect_url = SIGN_OUT

    assert Page(await refused_with(hub, issuer, 503)).links["Try again"] == HERE


@pytest.mark.parametrize(
    "query",
    [
        "?next=//evil.example",
        "?next=%3Cscript%3E",
        "?%22%3E%3Cscript%3E",
        "?X-Auth-Id-Token=evil",
        "?evil=1&next=//evil.example",
    ],
)
async def test_the_page_ignores_other_query_parameters(hub: Any, issuer: Any, query: str) -> None:
    """Other query parameters neither change the refusal nor appear on the page."""
    answer = await hub.request(f"/hub/login{query}", token=issuer.mint(**EXPIRED))

    assert answer.code == 401
    assert Page(answer).links["Sign in"].partition("?")[0] == "/hub/login"
    assert b'"><script>' not in answer.body
    assert b"evil" not in answer.body


async def test_an_error_of_the_server_is_logged_without_the_token(
    hub: Any, issuer: Any, all_logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed request is logged with all its headers except the token."""

    async def broken(*_: Any) -> None:
        raise RuntimeError("a mistake of a site's hook")

    monkeypatch.setattr(hub.app.authenticator, "post_auth_hook", broken)
    token = issuer.mint()

    answer = await hub.request("/hub/login", token=token, headers={"X-Other": "kept"})

    assert answer.code == 500
    assert '"X-Other": "kept"' in all_logs.text
    assert not [part for part in token.split(".") if part in all_logs.text]


# Metrics


async def test_logins_are_counted_by_outcome(hub_maker: Any, hub_config: Any, issuer: Any) -> None:
    """Each outcome has a number of its own among JupyterHub's metrics, and there are no others."""
    hub_config.JupyterHub.authenticate_prometheus = False
    hub = await hub_maker(hub_config)

    async def counts() -> dict[str, float]:
        text = (await hub.request("/hub/metrics", headers={"Accept": "text/plain"})).body.decode()
        found = re.findall(r'^jupyterhub_brics_logins_total\{outcome="(\w+)"\} (\S+)$', text, re.MULTILINE)
        return {outcome: float(number) for outcome, number in found}

    before = await counts()
    await hub.login(issuer.mint())
    for status in (401, 401, 403):
        await refused_with(hub, issuer, status)
    hub.app.authenticator.blocked_users = {"ada"}
    await hub.login(issuer.mint())
    await refused_with(hub, issuer, 503)

    after = await counts()
    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {
        "accepted": 1,
        "bad_token": 2,
        "not_permitted": 2,
        "issuer_unavailable": 1,
    }


# A bad token ends the sessions that it comes from, where the site wants that


@pytest.fixture
def leaving(hub: Any) -> Any:
    """A hub that ends sessions with bad tokens, and whose front door has a page for that."""
    hub.app.authenticator.invalid_jwt_logout = True
    hub.app.authenticator.logout_redirect_url = SIGN_OUT
    return hub


@pytest.mark.parametrize("changes", [EXPIRED, {"aud": "other"}])
async def test_a_bad_token_ends_both_sessions_once(leaving: Any, issuer: Any, changes: dict[str, Any]) -> None:
    """A bad token ends both sessions, and a second one gets the error page."""
    await leaving.login(issuer.mint())
    await leaving.request("/hub/home")

    first = await leaving.login(issuer.mint(**changes))
    again = [await leaving.login(issuer.mint(**changes)) for _ in range(3)]

    assert (first.code, first.headers["Location"]) == (302, SIGN_OUT)
    assert any("hub-login=" in cookie and "expires" in cookie for cookie in first.headers.get_list("Set-Cookie"))
    assert [answer.code for answer in again] == [401] * 3
    assert (await leaving.request("/hub/home")).code == 302


async def test_after_a_login_the_next_bad_token_leads_out_again(leaving: Any, issuer: Any) -> None:
    """The cookie of a redirect ends with the next login, and by itself within minutes."""
    first = await leaving.login(issuer.mint(**EXPIRED))
    kept = next(cookie for cookie in first.headers.get_list("Set-Cookie") if "signed-out=1" in cookie)
    await leaving.login(issuer.mint())
    leaving.cookies = {name: value for name, value in leaving.cookies.items() if value != '""'}  # as a browser does

    second = await leaving.login(issuer.mint(**EXPIRED))

    assert (second.code, second.headers["Location"]) == (302, SIGN_OUT)
    assert {"Max-Age=300", "HttpOnly", "SameSite=Lax", "Path=/hub/"} <= set(kept.split("; "))


async def test_without_a_page_of_the_front_door_the_hubs_session_ends(leaving: Any, issuer: Any) -> None:
    """Where there is nowhere to go, the user reads what is wrong, and is logged out of the hub."""
    leaving.app.authenticator.logout_redirect_url = ""
    await leaving.login(issuer.mint())

    answer = await leaving.login(issuer.mint(**EXPIRED))

    assert answer.code == 401
    assert (await leaving.request("/hub/home")).code == 302


async def test_only_a_bad_token_ends_a_session(leaving: Any, issuer: Any) -> None:
    """A missing token, a missing permission and a failing issuer end no session."""
    await leaving.login(issuer.mint())

    answers = [await leaving.request("/hub/login"), *[await refused_with(leaving, issuer, code) for code in (403, 503)]]

    assert [answer.code for answer in answers] == [401, 403, 503]
    assert not [cookie for answer in answers for cookie in answer.headers.get_list("Set-Cookie")]
    assert (await leaving.request("/hub/home")).code == 200


async def test_sessions_stay_by_default(hub: Any, issuer: Any) -> None:
    """By default a bad token is refused and nothing more, wherever a logout leads."""
    hub.app.authenticator.logout_redirect_url = SIGN_OUT
    await hub.login(issuer.mint())

    answer = await hub.login(issuer.mint(**EXPIRED))

    assert answer.code == 401
    assert not answer.headers.get_list("Set-Cookie")
    assert (await hub.request("/hub/home")).code == 200


async def test_the_request_cannot_choose_the_redirect(leaving: Any, issuer: Any) -> None:
    """Neither the query nor a header of the request changes the place that the site has named."""
    evil = "https://evil.example/"

    answer = await leaving.request(
        "/hub/login?next=https://evil.example/&rd=https://evil.example/&logout_redirect_url=https://evil.example/",
        token=issuer.mint(**EXPIRED),
        headers={
            "Sec-Fetch-Mode": "navigate",
            "Referer": evil,
            "Origin": evil,
            "X-Forwarded-Host": "evil.example",
            "X-Original-URL": evil,
        },
    )

    assert (answer.code, answer.headers["Location"]) == (302, SIGN_OUT)


async def test_a_client_without_a_session_leaves_nothing(leaving: Any, issuer: Any) -> None:
    """A program with a bad token gets the refusal, without a cookie and a redirect."""
    answer = await leaving.request("/hub/login", token=issuer.mint(**EXPIRED))

    assert answer.code == 401
    assert not answer.headers.get_list("Set-Cookie")


@pytest.mark.parametrize(
    "place", ["javascript:alert(1)", "//evil.example/", "/\\evil.example", "sign_out", "https:///x", "data:,"]
)
async def test_an_invalid_redirect_target_is_refused(place: str) -> None:
    """An ambiguous logout_redirect_url is refused by name when the hub starts.

    Browsers would read it in another way.
    """
    with pytest.raises(TraitError, match="logout_redirect_url"):
        BricsAuthenticator(logout_redirect_url=place)
    assert BricsAuthenticator(logout_redirect_url="https://door.example/out").logout_redirect_url
