"""Tokens of the test issuer, checked by the real authenticator."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.proxy import Proxy  # type: ignore[import-untyped]
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.testing import bind_unused_port
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator
from bricsauthenticator.tokens import Policy, read_header, validate
from hubpod.errors import HubpodError
from hubpod_harness.documents import GARBAGE, KEY_SETS
from hubpod_harness.issuer import Issuer
from hubpod_harness.keys import ALGORITHMS
from hubpod_harness.token_flaws import FLAWS, KB, Layer
from hubpod_harness.token_mutations import FOREIGN_KEYS_PATH
from hubpod_harness.token_variants import VARIANTS
from hubpod_harness.users import User

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = Path(__file__).parents[3] / "containers" / "testkit" / "issuer.py"
CONTROL_TOKEN = "control-token-of-a-test"
PROXY_HEADER_BYTES = 32 * KB
USER = User(name="user01", projects=("project1", "project2"))

# Reasons in the hub's log for which flaws are refused.
REASONS = {
    "expired": r"expired.*|boolean_exp",
    "ImmatureSignatureError": r"not_yet_valid.*|issued_in_the_future",
    "lifetime too long": r"endless_lifetime|long_lifetime",
    "(exp|iat|nbf) is not a time": r"huge_exp|mistyped_(exp|iat|nbf)",
    "MissingRequiredClaimError": r"(missing|null)_(aud|exp|iss|iat|short_name|projects)",
    "wrong audience": r"(wrong|list|mistyped|nested)_(aud|audience)(_of_another)?",
    "several audiences and no azp": r"two_audiences",
    "InvalidIssuerError": r"(wrong|list|mistyped)_(iss|issuer)|issuer_with_slash",
    "short_name is not a string": r"mistyped_short_name",
    "issued to another party": r"azp_of_another",
    "not an ID token by its claims": r"access_token",
    "not an ID token by its header": r"access_token_header",
    "InvalidSignatureError": r"foreign_key|tampered_payload|broken_signature",
    "unknown key": r"(unknown|missing|path|sql)_kid",
    "malformed key id": r"(huge|numeric|null)_kid",
    "algorithm not allowed": r"alg_none_signed|alg_empty|alg_null|alg_list|key_confusion",
    "refused header parameter": r"(jku|x5u|x5c|jwk|crit)_header|(jku|jwk)_foreign_key|nested",
    "not a signed JWT": r"alg_(none|None|NONE|nOnE)|jwe|two_parts|four_parts|not_base64",
    "malformed header": r"header_not_json|repeated_(alg|kid)",
    "malformed claims": r"repeated_(claim|audience)|infinite_exp",
    "DecodeError|RecursionError|ValueError|TypeError|OverflowError": r"infinite_exp|null_nbf|not_json|array_payload"
    r"|projects_deep",
    "short_name is not acceptable": r"short_name_.*",
    "projects is not (JSON|an object)": r"mistyped_projects|projects_(list|deep_text|string_garbage)",
    "a project.*|a resource.*": r"project_(list|nameless|name_surrogate)|resources_object"
    r"|resource_username_null",
    "no resource.*": r"resource_string",
    "a username .*": r"resource_.*",
    "no project on this platform": r"no_project_here|no_projects",
}
AT_THE_HUB = [name for name, flaw in FLAWS.items() if flaw.layer is Layer.HUB]
AT_THE_FRONT_DOOR = [name for name, flaw in FLAWS.items() if flaw.layer is Layer.FRONT_DOOR]


class NoProxy(Proxy):  # type: ignore[misc]
    """A proxy that forwards nothing, because the tests connect to the hub itself."""

    async def get_all_routes(self) -> dict[str, Any]:
        """Return no routes."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A JupyterHub in this process."""

    app: Any
    url: str

    async def login(self, token: str) -> HTTPResponse:
        """Log in with the header of the front door, without following redirects."""
        request = HTTPRequest(
            f"{self.url}/hub/login?next=%2Fhub%2Fhome",
            headers=HTTPHeaders({"X-Auth-Id-Token": token}),
            follow_redirects=False,
            request_timeout=10,
        )
        return await SimpleAsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)

    def forget_keys(self) -> None:
        """Make the hub fetch the keys at the next login."""
        self.app.authenticator._keys = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """The issuer and its server process, shared by the module."""
    token_file = tmp_path_factory.mktemp("issuer") / "control_token"
    token_file.write_text(CONTROL_TOKEN)
    argv = [sys.executable, str(SCRIPT), "--port=0", "--control-port=0", f"--token-file={token_file}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port, control = re.findall(r"port (\d+)", process.stdout.readline())
        issuer = Issuer(f"http://127.0.0.1:{control}", CONTROL_TOKEN, url=f"http://127.0.0.1:{port}/realms/test")
        issuer.wait_until_up()
        yield issuer
        process.terminate()


@pytest.fixture
def issuer(server: Issuer) -> Issuer:
    """The issuer in its initial state."""
    if server.changed:
        server.reset()
    return server


def mint_with(issuer: Issuer, name: str, **options: Any) -> str:
    """Return a token for USER with one flaw or variant."""
    options[name] = True
    return issuer.mint(USER, **options)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(server: Issuer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """A hub that trusts the issuer."""
    c = Config()
    c.JupyterHub.authenticator_class = BricsAuthenticator
    c.JupyterHub.proxy_class = NoProxy
    c.JupyterHub.db_url = "sqlite:///:memory:"
    c.JupyterHub.cookie_secret = b"x" * 32
    c.CryptKeeper.keys = [b"k" * 32]
    c.Authenticator.enable_auth_state = True
    c.BricsAuthenticator.oidc_server = server.url
    c.BricsAuthenticator.brics_platform = server.platform
    c.BricsAuthenticator.jwt_audience = server.audience
    c.BricsAuthenticator.oidc_timeout = 1.0
    JupyterHub.clear_instance()
    files = str(tmp_path_factory.mktemp("hub") / "cookie_secret")
    app = JupyterHub.instance(config=c, pid_file="", cookie_secret_file=files)
    app.load_config_file = lambda *_: None
    app.init_pycurl = lambda: None
    await app.initialize([])
    app.log.propagate = True
    socket, port = bind_unused_port()
    http = HTTPServer(app.tornado_application)
    http.add_socket(socket)
    yield Hub(app=app, url=f"http://127.0.0.1:{port}")
    http.stop()
    await http.close_all_connections()
    JupyterHub.clear_instance()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_algorithm_makes_a_valid_token(hub: Hub, issuer: Issuer, algorithm: str) -> None:
    """A token of each algorithm has the documented content, is valid on its own, and logs in."""
    token = issuer.mint(USER, algorithm=algorithm)
    response = await hub.login(token)
    _, key = await hub.app.authenticator._key_store().find(read_header(token))
    policy = Policy(issuer=issuer.url, audience=issuer.audience, leeway_s=0, max_lifetime_s=3600)

    claims = validate(token, key, policy)

    assert response.code == 302
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": key.key_id, "typ": "JWT"}
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["short_name"] == "user01"
    assert claims["projects"]["project2.portal"] == {
        "name": "Project project2",
        "resources": [{"name": issuer.platform, "username": "user01.project2"}],
    }


@pytest.mark.parametrize("name", VARIANTS)
async def test_each_variant_is_accepted(hub: Hub, issuer: Issuer, name: str) -> None:
    """Variants of a valid token log in."""
    assert (await hub.login(mint_with(issuer, name))).code == 302


@pytest.mark.parametrize("name", AT_THE_HUB)
async def test_each_flaw_is_refused_for_its_own_reason(
    hub: Hub, issuer: Issuer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The hub refuses a flawed token with a status of the flaw, and logs the flaw's own reason."""
    token = mint_with(issuer, name)

    response = await hub.login(token)

    assert response.code in FLAWS[name].statuses
    assert not response.headers.get_list("Set-Cookie")
    if name == "not_ascii":  # refused before the login reads it
        assert response.code == 400
        return
    reason = re.search(r"Login refused with \d+: (.*)", caplog.text)
    assert reason
    contents_by_name = next(flaws for known, flaws in REASONS.items() if re.fullmatch(known, reason[1]))
    assert re.fullmatch(contents_by_name, name), reason[1]
    assert issuer.requests()[f"/realms/test{FOREIGN_KEYS_PATH}"] == 0


@pytest.mark.parametrize("name", AT_THE_FRONT_DOOR)
async def test_tokens_for_the_front_door_are_too_large_for_it(issuer: Issuer, name: str) -> None:
    """Tokens that the proxy must refuse are valid and exceed its limit for headers."""
    token = mint_with(issuer, name)

    assert len(token) > PROXY_HEADER_BYTES
    assert jwt.decode(token, options={"verify_signature": False})["short_name"] == "user01"


@pytest.mark.parametrize(("name", "kilobytes"), [("size_8_kB", 8), ("size_31_kB", 31), ("size_33_kB", 33)])
async def test_tokens_have_the_size_that_they_are_named_after(issuer: Issuer, name: str, kilobytes: int) -> None:
    """A token's size is exact to four characters."""
    assert abs(len(mint_with(issuer, name)) - kilobytes * KB) <= 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_flaw_works_with_each_algorithm(issuer: Issuer, algorithm: str) -> None:
    """Each flaw changes the token with any key type."""
    names = [name for name in AT_THE_HUB if name != "alg_none_signed"]
    good = issuer.mint(USER, algorithm=algorithm)

    assert all(mint_with(issuer, name, algorithm=algorithm) != good for name in names)


@pytest.mark.parametrize("kind", KEY_SETS)
async def test_each_key_set_is_read(hub: Hub, issuer: Issuer, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """The hub uses the usable keys of an unusual key set, and refuses other tokens with 401."""
    issuer.publish_keys(kind)
    hub.forget_keys()

    codes = {(await hub.login(issuer.mint(USER, algorithm=algorithm))).code for algorithm in ALGORITHMS}
    hub.forget_keys()

    assert codes == ({302} if kind in {"without alg", "beside useless ones"} else {401})
    assert "Traceback" not in caplog.text


async def test_a_flaw_set_to_false_has_no_effect(hub: Hub, issuer: Issuer) -> None:
    """A flaw with the value false has no effect."""
    assert (await hub.login(issuer.mint("user01", expired=False))).code == 302


async def test_flaws_can_be_combined(issuer: Issuer) -> None:
    """Several flaws change the same token, even the same claim."""
    token = issuer.mint("user01", missing_exp=True, mistyped_iat=True, wrong_audience=True, broken_signature=True)
    claims = jwt.decode(token, options={"verify_signature": False})

    assert "exp" not in claims
    assert claims["aud"] == "another-client"
    assert isinstance(claims["iat"], str)
    assert issuer.mint("user01", two_parts=True, broken_signature=True, no_projects=True, short_name_root=True)
    assert issuer.mint("user01", projects_list=True, short_name_root=True, missing_exp=True, mistyped_exp=True)


async def test_claims_and_projects_can_be_set(issuer: Issuer) -> None:
    """Claims replace the defaults, and a user given by name is in project1."""

    def claims_of(token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return claims

    assert claims_of(issuer.mint("ada", claims={"extra": 5, "short_name": "bob"}))["short_name"] == "bob"
    assert list(claims_of(issuer.mint("ada"))["projects"]) == ["project1.portal"]
    assert list(claims_of(issuer.mint(USER, ["project2"]))["projects"]) == ["project2.portal"]
    assert claims_of(issuer.mint(USER, []))["projects"] == {}


async def test_unknown_names_are_refused_with_the_nearest(issuer: Issuer) -> None:
    """A misspelled flaw, algorithm or kind of garbage raises an error with a suggestion."""
    with pytest.raises(HubpodError, match="did you mean 'expired'"):
        issuer.mint("ada", expierd=True)
    with pytest.raises(HubpodError, match="did you mean 'ES256'"):
        issuer.mint("ada", algorithm="ES265")
    with pytest.raises(HubpodError, match="did you mean 'not JSON'"):
        issuer.garbage("not a JSON")


async def test_minted_tokens_are_recorded_and_not_shown(issuer: Issuer) -> None:
    """Every token is recorded for redaction, and representations contain no token."""
    token = issuer.mint("ada", nested=True)

    assert token == issuer.minted[-1]
    assert token not in repr(issuer)
    assert CONTROL_TOKEN not in repr(issuer)
    assert "private" not in repr(issuer._keys)


async def test_every_flaw_is_described() -> None:
    """A flaw has a title, statuses of a refusal and its own name."""
    for name, flaw in FLAWS.items():
        assert flaw.name == name
        assert flaw.title
        assert flaw.statuses <= {400, 401, 403, 431}
    assert not FLAWS.keys() & VARIANTS.keys()


@pytest.mark.parametrize("kind", GARBAGE)
async def test_a_hub_without_keys_cannot_use_garbage(hub: Hub, issuer: Issuer, kind: str) -> None:
    """A hub without keys responds 503 while the issuer serves garbage, and recovers with it."""
    issuer.garbage(kind)
    hub.forget_keys()
    assert (await hub.login(issuer.mint(USER))).code == 503

    issuer.up()
    hub.forget_keys()
    assert (await hub.login(issuer.mint(USER))).code == 302
    assert not any("/moved" in path for path in issuer.requests())


async def test_a_rotation_invalidates_the_old_keys(hub: Hub, issuer: Issuer) -> None:
    """After a rotation without overlap, the hub's next fetch invalidates the old keys."""
    old = issuer.mint(USER)
    issuer.rotate(overlap=True)
    hub.forget_keys()
    assert [(await hub.login(token)).code for token in (issuer.mint(USER), old)] == [302, 302]

    issuer.rotate(overlap=False)
    hub.forget_keys()
    assert [(await hub.login(token)).code for token in (issuer.mint(USER), old)] == [302, 401]

    issuer.reset()
    hub.forget_keys()
    assert (await hub.login(old)).code == 302


async def test_the_wait_for_a_hanging_issuer_is_limited(hub: Hub, issuer: Issuer) -> None:
    """The hub's wait for a hanging issuer is limited by its setting."""
    issuer.hang()
    hub.forget_keys()

    async with asyncio.timeout(3):
        assert (await hub.login(issuer.mint(USER))).code == 503
