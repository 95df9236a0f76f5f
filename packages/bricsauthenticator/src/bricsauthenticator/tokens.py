"""Validation of a sign-in token against known keys: pure, after RFC 8725.

The algorithms are fixed here and never taken from the token or from discovery. No message contains any part of the
token.
"""

import re
from dataclasses import dataclass
from typing import Any

import jwt

from bricsauthenticator.hub_guard import strict_json
from bricsauthenticator.login_errors import BadTokenError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
REQUIRED_CLAIMS = ("aud", "exp", "iss", "iat", "short_name", "projects")
LATEST_TIME = 10**11  # the year 5138; also keeps NaN, infinity and endless integers out of the arithmetic
MAX_TOKEN_CHARACTERS = 64 * 1024
MAX_KID_CHARACTERS = 256
COMPACT_JWS_RE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# Headers that make a validator fetch or trust a key of the sender's choice, or that change the payload's meaning.
REFUSED_HEADERS = ("jku", "jwk", "x5u", "x5c", "crit", "zip", "enc", "cty", "b64")

NOT_ACCEPTED = "Your sign-in token was not accepted. Please sign in again."
EXPIRED = "Your sign-in has expired. Please sign in again."


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The requirements on a token.

    Attributes:
        issuer: The only issuer.
        audience: The audience that is the hub.
        leeway_s: Allowed difference between the clocks, in seconds.
        max_lifetime_s: Maximum time between `iat` and `exp`, in seconds.
    """

    issuer: str
    audience: str
    leeway_s: float
    max_lifetime_s: float


@dataclass(frozen=True, kw_only=True)
class Header:
    """The part of a token that is read before its signature is checked: which key to use.

    Attributes:
        algorithm: One of ALGORITHMS.
        key_id: The key's id; None when the token names none.
    """

    algorithm: str
    key_id: str | None


def read_header(token: str) -> Header:
    """Parse the header of a plain signed JWT.

    Raises:
        BadTokenError: The token is anything else.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise BadTokenError(NOT_ACCEPTED, detail="too long")
    if not COMPACT_JWS_RE.fullmatch(token):
        raise BadTokenError(NOT_ACCEPTED, detail="not a signed JWT")
    header = _parse_object(token, 0, "header")
    if any(name in header for name in REFUSED_HEADERS):
        raise BadTokenError(NOT_ACCEPTED, detail="refused header parameter")
    if not isinstance(header.get("typ", "JWT"), str) or header.get("typ", "JWT").upper() != "JWT":
        raise BadTokenError(NOT_ACCEPTED, detail="not an ID token by its header")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise BadTokenError(NOT_ACCEPTED, detail="algorithm not allowed")
    if "kid" in header and (not isinstance(key_id, str) or len(key_id) > MAX_KID_CHARACTERS):
        raise BadTokenError(NOT_ACCEPTED, detail="malformed key id")
    return Header(algorithm=algorithm, key_id=key_id)


def validate(token: str, key: jwt.PyJWK, policy: Policy) -> dict[str, Any]:
    """Return the claims of a token that satisfies the policy.

    Raises:
        BadTokenError: The token does not satisfy the policy; the detail names the reason.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=policy.issuer,
            leeway=policy.leeway_s,
            options={"require": list(REQUIRED_CLAIMS), "verify_aud": False, "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError:
        raise BadTokenError(EXPIRED, detail="expired") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise BadTokenError(NOT_ACCEPTED, detail=type(error).__name__) from None
    _parse_object(token, 1, "claims")  # PyJWT takes the last of two claims with one name
    _check_types(claims)
    _check_lifetime(claims, policy)
    _check_audience(claims, policy)
    _check_purpose(claims)
    return claims


def _parse_object(token: str, part: int, name: str) -> dict[str, Any]:
    """Return a part of the token as an object.

    Raises:
        BadTokenError: It is anything else, or repeats a name.
    """
    try:
        parsed = strict_json.parse(jwt.utils.base64url_decode(token.split(".")[part]))
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise BadTokenError(NOT_ACCEPTED, detail=f"malformed {name}")
    return parsed


def _check_types(claims: dict[str, Any]) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST_TIME:
            raise BadTokenError(NOT_ACCEPTED, detail=f"{name} is not a time")
    if not isinstance(claims["short_name"], str):
        raise BadTokenError(NOT_ACCEPTED, detail="short_name is not a string")


def _check_lifetime(claims: dict[str, Any], policy: Policy) -> None:
    if claims["exp"] - claims["iat"] > policy.max_lifetime_s:
        raise BadTokenError(NOT_ACCEPTED, detail="lifetime too long")


def _check_audience(claims: dict[str, Any], policy: Policy) -> None:
    """Check that the token is for the hub (OpenID Connect Core, section 3.1.3.7).

    It may be for others, too, if it was issued to the hub.
    """
    audience = claims["aud"]
    audiences = audience if isinstance(audience, list) else [audience]
    if not policy.audience or policy.audience not in audiences or not all(isinstance(each, str) for each in audiences):
        raise BadTokenError(NOT_ACCEPTED, detail="wrong audience")
    if claims.get("azp", policy.audience) != policy.audience:
        raise BadTokenError(NOT_ACCEPTED, detail="issued to another party")
    if set(audiences) != {policy.audience} and "azp" not in claims:
        raise BadTokenError(NOT_ACCEPTED, detail="several audiences and no azp")


def _check_purpose(claims: dict[str, Any]) -> None:
    # Keycloak puts the type into the payload.
    if claims.get("typ", "ID") not in ("ID", "JWT"):
        raise BadTokenError(NOT_ACCEPTED, detail="not an ID token by its claims")
