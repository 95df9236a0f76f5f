"""Validation of tokens, to the second and to the byte, without a hub."""

import json
from datetime import UTC, datetime, tzinfo
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bricsauthenticator.login_errors import BadTokenError
from bricsauthenticator.tokens import Header, Policy, read_header, validate

NOW = 1_700_000_000
LEEWAY_S = 5
LIFETIME_S = 3600
ISSUER = "https://issuer.example/realms/main"
POLICY = Policy(issuer=ISSUER, audience="hub-client", leeway_s=LEEWAY_S, max_lifetime_s=LIFETIME_S)


class StoppedClock(datetime):
    """The time of day as PyJWT reads it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "StoppedClock":
        """Return the same moment always."""
        return cls.fromtimestamp(NOW, tz or UTC)


@pytest.fixture(autouse=True)
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop PyJWT's clock, so that a test can use an exact second."""
    monkeypatch.setattr("jwt.api_jwt.datetime", StoppedClock)


@pytest.fixture
def key(new_key: Any) -> Any:
    """Return the issuer's key."""
    return new_key("ES256", "k")


def sign(key: Any, payload: bytes, **header: object) -> str:
    """Sign any payload."""
    return jwt.api_jws.encode(payload, key.private, key.algorithm, {"kid": key.kid, **header})


def token_of(key: Any, **changes: object) -> str:
    """Sign a good token with changed claims."""
    claims: dict[str, object] = {"iss": ISSUER, "aud": "hub-client", "iat": NOW, "exp": NOW + 300}
    claims |= {"short_name": "ada", "projects": {}, **changes}
    return sign(key, json.dumps(claims).encode())


def is_good(key: Any, token: str) -> bool:
    """Whether a token is accepted and not refused, with any other error passed through."""
    try:
        read_header(token)
        validate(token, jwt.PyJWK(key.public_jwk), POLICY)
    except BadTokenError:
        return False
    return True


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"exp": NOW - LEEWAY_S + 1}, True),
        ({"exp": NOW - LEEWAY_S}, False),
        ({"exp": NOW - LEEWAY_S - 1}, False),
        ({"nbf": NOW + LEEWAY_S - 1}, True),
        ({"nbf": NOW + LEEWAY_S}, True),
        ({"nbf": NOW + LEEWAY_S + 1}, False),
        ({"iat": NOW + LEEWAY_S}, True),
        ({"iat": NOW + LEEWAY_S + 1}, False),
        ({"exp": NOW + LIFETIME_S}, True),
        ({"exp": NOW + LIFETIME_S + 1}, False),
        ({"iat": NOW - LIFETIME_S, "exp": NOW + 1}, False),
    ],
    ids=str,
)
def test_times_are_exact_to_the_second(key: Any, claims: dict[str, int], *, good: bool) -> None:
    """Just inside leeway and maximum lifetime a token is good, one second further it is not."""
    assert is_good(key, token_of(key, **claims)) is good


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"azp": "hub-client"}, True),
        ({"azp": "another-client"}, False),
        ({"azp": None}, False),
        ({"azp": ["hub-client"]}, False),
        ({"aud": ["hub-client", "another-client"], "azp": "hub-client"}, True),
        ({"aud": ["hub-client", "another-client"]}, False),
        ({"aud": ["hub-client", "another-client"], "azp": "another-client"}, False),
        ({"aud": ["hub-client", "another-client"], "azp": None}, False),
        ({"aud": ["another-client"], "azp": "hub-client"}, False),
        ({"aud": ["hub-client"], "azp": "hub-client"}, True),
        ({"aud": ["hub-client"]}, True),
        ({"aud": ["hub-client", "hub-client"]}, True),
        ({"aud": ["hub-client"], "azp": "another-client"}, False),
        ({"aud": [["hub-client"]]}, False),
        ({"aud": ["hub-client", None], "azp": "hub-client"}, False),
        ({"aud": []}, False),
        ({"aud": "hub-client "}, False),
        ({"aud": "HUB-CLIENT"}, False),
        ({"aud": ""}, False),
        ({"aud": {"hub-client": 1}}, False),
    ],
    ids=str,
)
def test_a_token_is_for_this_hub(key: Any, claims: dict[str, object], *, good: bool) -> None:
    """A token must name this hub as its audience, and as azp if it names others, too (OpenID Core, 3.1.3.7)."""
    assert is_good(key, token_of(key, **claims)) is good


def test_a_hub_without_an_audience_accepts_no_token(key: Any) -> None:
    """An empty setting is not an audience that a token can name."""
    policy = Policy(issuer=ISSUER, audience="", leeway_s=LEEWAY_S, max_lifetime_s=LIFETIME_S)

    with pytest.raises(BadTokenError):
        validate(token_of(key, aud=""), jwt.PyJWK(key.public_jwk), policy)


REPEATED = [
    ('"aud": "hub-client"', '"aud": "another-client", "aud": "hub-client"'),
    ('"short_name": "ada"', '"short_name": "bob", "short_name": "ada"'),
    ('"short_name": "ada"', '"short_name": "ada", "short_name": "ada"'),
    ('"short_name": "ada"', r'"short_n\u0061me": "bob", "short_name": "ada"'),
    ('"projects": {}', '"projects": {}, "projects": {}'),
    ('"projects": {}', '"projects": {"p.portal": {"name": "a", "name": "b"}}'),
    ('"projects": {}', '"projects": {"p.portal": {}, "p.portal": {}}'),
]


@pytest.mark.parametrize(("unique", "repeated"), REPEATED, ids=[repeated for _, repeated in REPEATED])
def test_repeated_claims_are_refused(key: Any, unique: str, repeated: str) -> None:
    """Two claims with one name are refused at every depth, however the name is spelt (RFC 7519, section 4)."""
    claims = {"iss": ISSUER, "aud": "hub-client", "iat": NOW, "exp": NOW + 300, "short_name": "ada", "projects": {}}
    payload = json.dumps(claims)
    assert is_good(key, sign(key, payload.encode()))

    assert unique in payload
    assert not is_good(key, sign(key, payload.replace(unique, repeated).encode()))


@pytest.mark.parametrize(
    "header",
    ['{"alg": "none", "alg": "ES256", "kid": "k"}', '{"alg": "ES256", "kid": "other", "kid": "k"}',
     '{"alg": "ES256", "kid": "k", "typ": "JWT", "typ": "JWT"}', '{"alg": "ES256", "kid": "k", "x": {"a": 1, "a": 2}}'],
)  # fmt: skip
def test_repeated_header_parameters_are_refused(key: Any, header: str) -> None:
    """Two header parameters with one name are refused (RFC 7515, section 4)."""
    message = f"{jwt.utils.base64url_encode(header.encode()).decode()}.{token_of(key).split('.')[1]}"
    signature = jwt.get_algorithm_by_name("ES256").sign(message.encode(), key.private)

    assert not is_good(key, f"{message}.{jwt.utils.base64url_encode(signature).decode()}")


@pytest.mark.parametrize(
    "issuer",
    [f"{ISSUER}/", ISSUER.upper(), ISSUER.replace("https", "http"), f"{ISSUER}.evil", ISSUER[:-1], "", [ISSUER]],
)
def test_similar_issuer_urls_are_refused(key: Any, issuer: object) -> None:
    """The issuer's name is compared whole, letter for letter."""
    assert not is_good(key, token_of(key, iss=issuer))


@pytest.mark.parametrize(
    "payload", [b"", b"not JSON", b"[]", b'"text"', b"null", b"7", b"\xff", b"[" * 20_000, b"{" * 9]
)
def test_a_payload_that_is_not_an_object_is_refused(key: Any, payload: bytes) -> None:
    """A signature does not turn any other value into claims."""
    assert not is_good(key, sign(key, payload))


def test_a_token_within_a_token_is_refused(key: Any) -> None:
    """A token whose payload is a signed token is refused.

    The header of the outer token does not matter.
    """
    inner = token_of(key).encode()

    assert not is_good(key, sign(key, inner))
    assert not is_good(key, sign(key, inner, cty="JWT"))


@pytest.mark.parametrize(
    "header",
    [b"{", b"[]", b"null", b'"RS256"', b"{}", b'{"alg": "ES256", "kid": ', b"[" * 20_000, b'{"alg":{"a":[]}}', b"\xff"],
)
def test_a_malformed_header_is_refused(header: bytes) -> None:
    """A token with an arbitrary header is refused without another error."""
    part = jwt.utils.base64url_encode(header).decode()

    with pytest.raises(BadTokenError):
        read_header(f"{part}.e30.AA")


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "e30", "e30.e30", "e30.e30.", ".e30.AA", "e30.e30.AA.AA", "e30.e30.AA.AA.AA", "e30.e30.A=",
     "e30.e30.A A", "e30.e30.AA\n", " e30.e30.AA", "e30.e30.\xe9", "A" * 70_000],
    ids=lambda token: token[:20],
)  # fmt: skip
def test_malformed_tokens_are_refused(token: str) -> None:
    """A token with another shape than three non-empty parts of base64 is refused."""
    with pytest.raises(BadTokenError):
        read_header(token)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_arbitrary_input_is_refused_or_parsed(header: bytes, payload: bytes, signature: bytes) -> None:
    """No bytes in the three parts lead to another error than a refusal."""
    parts = (jwt.utils.base64url_encode(part).decode() for part in (header, payload, signature))
    try:
        found = read_header(".".join(parts))
    except BadTokenError:
        return
    assert isinstance(found, Header)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_key_is_valid_for_its_own_algorithm_only(new_key: Any, algorithm: str) -> None:
    """A header with another algorithm than the key's is refused, even an allowed one."""
    key, other = new_key(algorithm, "k"), "PS512"
    good = token_of(key)
    header = {"alg": other, "kid": "k", "typ": "JWT"}
    message = f"{jwt.utils.base64url_encode(json.dumps(header).encode()).decode()}.{good.split('.')[1]}"
    signature = jwt.get_algorithm_by_name(algorithm).sign(message.encode(), key.private)

    assert is_good(key, good)
    assert not is_good(key, f"{message}.{jwt.utils.base64url_encode(signature).decode()}")
