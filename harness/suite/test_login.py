"""Login with the front door's signed token in a header."""

import json
import secrets
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from hubpod.client import HubClient, HubError, LoginRefused
from hubpod.client.browser import Browser, direct_session
from hubpod_harness.attack.verdicts import ANONYMOUS_COOKIE
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.keys import ALGORITHMS
from hubpod_harness.stack import Stack
from hubpod_harness.steps import accepts_token, require_issuer, wait_until
from hubpod_harness.token_flaws import FLAWS, Flaw, Layer
from hubpod_harness.token_variants import VARIANTS
from hubpod_harness.tokens import projects_claim
from hubpod_harness.users import User

pytestmark = pytest.mark.hubpod_login("JWT")

HEADER = "X-Auth-Id-Token"
UNAUTHORIZED, NOT_FOUND = 401, 404
CLIENT_ERRORS = range(400, 500)
REFUSAL = "Login refused with"
LOGIN_COOKIE = "jupyterhub-hub-login"
SIGNED_EARLIER = """
import binascii, sys, time, tornado.web as web
secret = binascii.a2b_hex(open("/srv/jupyterhub/jupyterhub_cookie_secret").read().strip())
_, name, cookie = sys.argv
value = web.decode_signed_value(secret, name, cookie)
print(web.create_signed_value(secret, name, value, clock=lambda: time.time() - 13 * 3600).decode())
"""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_logs_in(hub: Hub, issuer: Issuer, user: User, algorithm: str) -> None:
    """A token signed with any common algorithm logs in the user in its claims."""
    session = hub.login(issuer.mint(user, algorithm=algorithm))

    assert session.user == user.name


def test_projects_may_be_json_text(hub: Hub, issuer: Issuer, user: User) -> None:
    """A projects claim may be a string with the JSON object, as some issuers send it."""
    claim = json.dumps(projects_claim(user.name, user.projects, issuer.platform))

    form = hub.login(issuer.mint(user, claims={"projects": claim})).spawn_form()

    project = form.field("brics_project")
    assert project is not None
    assert [choice.value.partition(".")[0] for choice in project.choices] == list(user.projects)


def test_a_login_ends_with_the_working_day(stack: Stack, hub: Hub, issuer: Issuer, user: User) -> None:
    """A login cookie expires after half a day."""
    with direct_session() as browser:
        response = browser.get(
            f"{hub.url}/hub/login", headers={HEADER: issuer.mint(user)}, allow_redirects=False, timeout=10
        )
    fresh = response.cookies[LOGIN_COOKIE]
    old = stack.execute("jupyterhub", ["/opt/jupyterhub/bin/python", "-c", SIGNED_EARLIER, LOGIN_COOKIE, fresh])

    with direct_session() as browser:
        home = [
            browser.get(f"{hub.url}/hub/home", cookies={LOGIN_COOKIE: cookie}, allow_redirects=False, timeout=10)
            for cookie in (fresh, old.stdout.strip())
        ]
    assert [answer.status_code for answer in home] == [200, 302]


@pytest.fixture(scope="module")
def refused_tokens(stacks: Callable[..., Stack]) -> Iterator[list[str]]:
    """Collect refused tokens, then check that the log has none of them."""
    hub = stacks().hub
    tokens: list[str] = []
    yield tokens
    log = hub.log()
    assert not [token for token in tokens if token in log]


@pytest.mark.security
@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param(flaw, id=name, marks=() if flaw.concerns_every_login else pytest.mark.hubpod)
        for name, flaw in FLAWS.items()
    ],
)
def test_a_flawed_token_is_refused(hub: Hub, issuer: Issuer, refused_tokens: list[str], flaw: Flaw) -> None:
    """A flawed token is refused without a login cookie, a user or a logged token."""
    unknown_user = f"unknown-{secrets.token_hex(4)}"
    token = issuer.mint(unknown_user, projects=None, algorithm="RS256", claims=None, **{flaw.name: True})

    with pytest.raises(HubError) as refusal:
        hub.login(token)

    assert hub.admin("GET", f"users/{unknown_user}").status_code == NOT_FOUND
    if flaw.layer is Layer.FRONT_DOOR and refusal.value.response is None:
        return  # the proxy closes the connection while it receives a header of that size
    assert refusal.value.status in (CLIENT_ERRORS if flaw.concerns_every_login else flaw.statuses)
    assert refusal.value.response is not None
    assert {cookie.name for cookie in refusal.value.response.cookies} <= {ANONYMOUS_COOKIE}
    if flaw.layer is Layer.HUB:
        refused_tokens.append(token)


@pytest.mark.hubpod
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_a_good_token_logs_in(hub: Hub, issuer: Issuer, user: User, variant: str) -> None:
    """Tokens that RFC 7519 and OpenID Core allow log in, and useless projects cost no other project."""
    token = issuer.mint(user, projects=None, algorithm="RS256", claims=None, **{variant: True})

    assert hub.login(token).user == user.name


@pytest.mark.hubpod
@pytest.mark.security
def test_a_token_that_denies_all_projects_ends_the_session(hub: Hub, issuer: Issuer, user: User) -> None:
    """After a valid token without a project, the user's session starts no server."""
    session = hub.login(issuer.mint(user))
    with pytest.raises(LoginRefused):
        hub.login(issuer.mint(user, projects=[]))

    with pytest.raises(HubError):
        session.spawn(project=user.projects[0])

    assert not hub.servers_of(user.name)
    hub.login(issuer.mint(user))


@pytest.mark.hubpod
@pytest.mark.security
def test_a_refusal_is_logged(hub: Hub, issuer: Issuer, user: User) -> None:
    """The operator finds each refused login in the log, with its status and without a cookie for the client."""
    before = hub.log().count(REFUSAL)

    with pytest.raises(LoginRefused) as refusal:
        hub.login(issuer.mint(user, expired=True))

    assert refusal.value.status == UNAUTHORIZED
    assert refusal.value.response is not None
    assert "Set-Cookie" not in refusal.value.response.headers
    assert hub.log().count(REFUSAL) > before


@pytest.mark.hubpod
@pytest.mark.security
def test_a_client_without_token_is_refused(hub: Hub) -> None:
    """A client without a token gets a message and no session."""
    with pytest.raises(LoginRefused) as refusal:
        HubClient(hub.url).login_with_headers({})

    assert refusal.value.status == UNAUTHORIZED
    assert refusal.value.sentence


def test_the_login_cookie_is_for_the_hub_only(hub: Hub, issuer: Issuer, user: User) -> None:
    """The path of the login cookie covers the hub's pages, and no user's server."""
    with direct_session() as browser:
        response = browser.get(
            f"{hub.url}/hub/login", headers={HEADER: issuer.mint(user)}, allow_redirects=False, timeout=10
        )

    paths = {cookie.path for cookie in response.cookies if cookie.name == LOGIN_COOKIE}
    assert paths == {f"{urlsplit(hub.url).path.rstrip('/')}/hub/"}


def test_a_second_user_in_the_same_browser_is_that_user(
    hub: Hub, issuer: Issuer, users: Callable[..., list[User]]
) -> None:
    """Each login is decided by the token, not by the cookie of an earlier user."""
    first, second = users(2)
    parts = urlsplit(hub.url)
    browser = Browser(f"{parts.scheme}://{parts.netloc}")
    login = f"{hub.url}/hub/login?next={parts.path}/hub/home"

    browser.page(login, headers={HEADER: issuer.mint(first)})
    one = browser.api_object("GET", f"{hub.url}/hub/api/user")["name"]
    browser.page(login, headers={HEADER: issuer.mint(second)})
    other = browser.api_object("GET", f"{hub.url}/hub/api/user")["name"]

    assert (one, other) == (first.name, second.name)


@pytest.mark.hubpod
def test_known_keys_serve_while_the_issuer_is_down(hub: Hub, issuer: Issuer, user: User) -> None:
    """Users log in while the issuer is down, once the hub has its keys."""
    hub.login(issuer.mint(user))
    token = issuer.mint(user)
    issuer.down()

    session = hub.login(token)

    assert session.user == user.name


@pytest.fixture
def quick_issuer(quick: Stack, quick_user: User) -> Iterator[Issuer]:
    """The issuer of the quick stack, whose hub fetches keys every second."""
    issuer = require_issuer(quick)
    yield issuer
    issuer.reset()
    wait_until("the hub's trust in the first keys", lambda: accepts_token(quick.hub, issuer.mint(quick_user)))


def test_new_keys_are_accepted_beside_the_old(quick: Stack, quick_issuer: Issuer, quick_user: User) -> None:
    """While the issuer publishes old and new keys, tokens of both are accepted."""
    old = quick_issuer.mint(quick_user)
    quick.hub.login(old)

    quick_issuer.rotate(overlap=True)

    new = quick_issuer.mint(quick_user)
    wait_until("a login with the new key", lambda: accepts_token(quick.hub, new), 10)
    assert quick.hub.login(old).user == quick_user.name


@pytest.mark.hubpod
@pytest.mark.security
def test_a_withdrawn_key_is_refused(quick: Stack, quick_issuer: Issuer, quick_user: User) -> None:
    """Once the issuer has replaced its key, tokens of the old key are refused."""
    old = quick_issuer.mint(quick_user)
    quick.hub.login(old)

    quick_issuer.rotate(overlap=False)

    new = quick_issuer.mint(quick_user)
    wait_until("a login with the new key", lambda: accepts_token(quick.hub, new), 10)
    with pytest.raises(LoginRefused) as refusal:
        quick.hub.login(old)
    assert refusal.value.status == UNAUTHORIZED


@pytest.mark.hubpod
@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES384", "EdDSA"])
def test_a_key_that_names_no_algorithm_is_used(
    quick: Stack, quick_issuer: Issuer, quick_user: User, algorithm: str
) -> None:
    """Keys without `alg`, as some issuers publish them, accept tokens of every algorithm of their type."""
    quick_issuer.publish_keys("without alg")
    token = quick_issuer.mint(quick_user, algorithm=algorithm)

    wait_until("a login", lambda: accepts_token(quick.hub, token), 10)


@pytest.mark.hubpod
@pytest.mark.security
@pytest.mark.parametrize("kind", ["none", "useless ones", "with private halves", "twice"])
def test_an_issuer_without_usable_keys_has_withdrawn_them(
    quick: Stack, quick_issuer: Issuer, quick_user: User, kind: str
) -> None:
    """A key set without a usable key withdraws the earlier keys, and logins are refused, not failed."""
    token = quick_issuer.mint(quick_user)
    quick.hub.login(token)

    quick_issuer.publish_keys(kind)

    wait_until("a refused login", lambda: not accepts_token(quick.hub, token), 10)
    with pytest.raises(LoginRefused) as refusal:
        quick.hub.login(token)
    assert refusal.value.status == UNAUTHORIZED


@pytest.mark.hubpod
@pytest.mark.security
def test_a_useless_key_costs_no_other_key(quick: Stack, quick_issuer: Issuer, quick_user: User) -> None:
    """Keys that cannot be used do not keep the hub from the issuer's new keys."""
    quick_issuer.rotate(overlap=False)
    quick_issuer.publish_keys("beside useless ones")

    token = quick_issuer.mint(quick_user)

    wait_until("a login with the new key", lambda: accepts_token(quick.hub, token), 10)


@pytest.mark.hubpod
@pytest.mark.parametrize("kind", ["not JSON", "wrong issuer", "keys elsewhere"])
def test_garbage_from_the_issuer_changes_nothing(
    quick: Stack, quick_issuer: Issuer, quick_user: User, kind: str
) -> None:
    """While the issuer serves invalid documents, the hub uses its last valid keys."""
    token = quick_issuer.mint(quick_user)
    quick.hub.login(token)
    quick_issuer.garbage(kind)
    before = quick_issuer.requests().total()

    def requests_keys_again() -> bool:
        quick.hub.login(token)
        return quick_issuer.requests().total() > before

    wait_until("the hub's request for keys", requests_keys_again, 10)
    assert quick.hub.login(token).user == quick_user.name
