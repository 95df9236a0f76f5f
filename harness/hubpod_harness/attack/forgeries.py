"""Forge login tokens without a key of the issuer.

The tokens have wrong headers, a malformed structure or foreign signatures.

The flaws follow RFC 8725 (JWT best current practices). The test issuer signs tokens with the same flaws.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KB = 1024
LIFETIME_S = 3600
RSA_BITS = 2048

Form = Callable[[str, str, str], str]
"""Joins an encoded header, payload and signature to a token."""

UNSIGNED = ("none", "None", "NONE", "nOnE")
"""Spellings of the algorithm "none" (RFC 8725, section 2.1)."""

HEADERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "unknown_kid": ("the issuer has no key of its kid", {"kid": "unknown"}),
    "numeric_kid": ("its kid is a number", {"kid": 7}),
    "null_kid": ("its kid is null", {"kid": None}),
    "path_kid": ("its kid is a path", {"kid": "../../../../dev/null"}),
    "sql_kid": ("its kid is SQL", {"kid": "' UNION SELECT '' --"}),
    "huge_kid": ("its kid has 10 kB", {"kid": "k" * 10 * KB}),
    "alg_none_signed": ("alg is 'none', and it has a signature", {"alg": "none"}),
    "alg_empty": ("alg is empty", {"alg": ""}),
    "alg_null": ("alg is null", {"alg": None}),
    "alg_list": ("alg is a list", {"alg": ["RS256"]}),
    "x5c_header": ("its header has a certificate", {"x5c": ["AA=="]}),
    "crit_header": ("its header is critical and unknown", {"crit": ["exp"]}),
}
"""Header parameters that invalidate a token with any signature: a description and the parameters."""

FORMS: Mapping[str, tuple[str, Form]] = {
    "two_parts": ("it has no signature part", lambda header, payload, _: f"{header}.{payload}"),
    "four_parts": ("it has a fourth part", lambda *parts: ".".join((*parts, "AA"))),
    "not_base64": ("a part is not base64", lambda *parts: f"{parts[0]}.!{parts[1]}.{parts[2]}"),
    "not_ascii": ("a part has a letter outside ASCII", lambda *parts: f"{parts[0]}.\xe9{parts[1]}.x"),
    "header_not_json": ("its header is not JSON", lambda *parts: ".".join((base64url(b"{"), *parts[1:]))),
}
"""Tokens that violate the format of RFC 7515: a description and a function that joins the parts."""


def base64url(content: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def forge_tokens(claims: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Forge tokens with these claims, and return the flaw's description and the token by name."""
    own = {"jwk": _public_jwk(), "kid": "own"}
    return {
        "foreign_key": ("it is signed with a foreign key", _token(claims)),
        "jwk_foreign_key": ("its key is in its header", _token(claims, own)),
        **{
            f"alg_{name}": (f"alg is {name!r}, and it has no signature", _unsigned_token(claims, name))
            for name in UNSIGNED
        },
        **{name: (title, _token(claims, header)) for name, (title, header) in HEADERS.items()},
        **{name: (title, _token(claims, form=form)) for name, (title, form) in FORMS.items()},
    }


def of_size(claims: Mapping[str, object], characters: int) -> str:
    """Forge a token with a foreign signature and about this many characters."""
    missing = (characters - len(_token({**claims, "padding": ""}))) * 3 // 4
    return _token({**claims, "padding": "x" * max(missing, 0)})


def _token(
    claims: Mapping[str, object], header: Mapping[str, object] | None = None, *, form: Form | None = None
) -> str:
    now = int(time.time())
    whole = {"iat": now, "nbf": now, "exp": now + LIFETIME_S, **claims}
    first = base64url(json.dumps({"alg": "RS256", "kid": "foreign", "typ": "JWT", **(header or {})}).encode())
    second = base64url(json.dumps(whole).encode())
    signature = _key().sign(f"{first}.{second}".encode(), padding.PKCS1v15(), hashes.SHA256())
    make = form or (lambda *parts: ".".join(parts))
    return make(first, second, base64url(signature))


def _unsigned_token(claims: Mapping[str, object], algorithm: str) -> str:
    return _token(claims, {"alg": algorithm}, form=lambda header, payload, _: f"{header}.{payload}.")


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _public_jwk() -> dict[str, str]:
    """Return the public key as a JWK (RFC 7518, section 6.3.1)."""
    numbers = _key().public_key().public_numbers()
    fields = {"n": numbers.n, "e": numbers.e}
    return {
        "kty": "RSA",
        "kid": "own",
        **{name: base64url(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in fields.items()},
    }
