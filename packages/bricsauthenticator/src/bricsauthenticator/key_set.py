"""An issuer's key set, from its document to the keys that verify tokens: pure, after RFC 7517.

An entry that cannot be used costs that key only. A document replaces all earlier keys, so that an empty one withdraws
them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from bricsauthenticator.tokens import Header

MAX_KEYS = 100
MAX_ID_CHARACTERS = 256

BY_TYPE: Mapping[tuple[object, object], tuple[str, ...]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}
"""The algorithms that a key's type and curve permit (RFC 7518, section 3.1; RFC 8037)."""

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Verifiers = Mapping[str, jwt.PyJWK]


class KeySetError(ValueError):
    """The document is not a key set."""


class _UnusableError(ValueError):
    """An entry cannot verify tokens; the message is the reason."""


@dataclass(frozen=True, kw_only=True)
class KeySet:
    """The usable keys of an issuer.

    Attributes:
        issuer: The issuer's own name, which tokens must have as `iss`.
        keys: The keys by id, each by the algorithms that it may verify; a key without an id under "".
        unusable: The reasons for skipping other entries, a phrase each and without any part of the entry.
    """

    issuer: str
    keys: Mapping[str, Verifiers]
    unusable: tuple[str, ...] = ()

    def find(self, header: Header) -> jwt.PyJWK | None:
        """Return the key that the token names or, when it names none, the only key, for the algorithm of the token."""
        if header.key_id is not None:
            key = self.keys.get(header.key_id)
        else:
            key = next(iter(self.keys.values())) if len(self.keys) == 1 else None
        return None if key is None else key.get(header.algorithm)


def read_key_set(issuer: str, document: object) -> KeySet:
    """Return the usable keys of a document.

    Two keys with the same id are both unusable, and so is a key whose private half the document contains.

    Raises:
        KeySetError: The document is not a key set at all.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeySetError("the document is not a key set")
    entries = entries[:MAX_KEYS]
    published = {_material(entry) for entry in entries if isinstance(entry, dict) and PRIVATE_MEMBERS & entry.keys()}
    found: list[tuple[str, Verifiers]] = []
    unusable: list[str] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(_read_key(entry, published))
        except _UnusableError as error:
            unusable.append(f"key {number}: {error}")
    times = Counter(key_id for key_id, _ in found)
    keys = {key_id: verifiers for key_id, verifiers in found if times[key_id] == 1}
    unusable += ["several keys have one id"] if len(keys) < len(times) else []
    return KeySet(issuer=issuer, keys=keys, unusable=tuple(unusable))


def _material(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return what identifies a public key: an RSA key's modulus, or a curve point's first coordinate."""
    return str(entry.get("kty")), str(entry.get("n", entry.get("x")))


def _read_key(entry: object, published: set[tuple[str, str]]) -> tuple[str, Verifiers]:
    if not isinstance(entry, dict):
        raise _UnusableError("is not an object, or repeats a name")
    if _material(entry) in published:
        raise _UnusableError("its private half is published")
    key_id = entry.get("kid", "")
    if not isinstance(key_id, str) or len(key_id) > MAX_ID_CHARACTERS:
        raise _UnusableError("its id is not a short string")
    _check_purpose(entry)
    return key_id, {algorithm: _make_key(entry, algorithm) for algorithm in _algorithms(entry)}


def _check_purpose(entry: Mapping[str, Any]) -> None:
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise _UnusableError("is not for signatures")


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the algorithm that the entry names, or else all that fit its type."""
    kind, curve = entry.get("kty"), entry.get("crv")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        raise _UnusableError("has no type")
    fitting = BY_TYPE.get((kind, None if kind == "RSA" else curve), ())
    named = entry.get("alg")
    chosen = fitting if "alg" not in entry else tuple(each for each in fitting if each == named)
    if not chosen:
        raise _UnusableError("its type and algorithm are not among the accepted ones")
    return chosen


def _make_key(entry: Mapping[str, Any], algorithm: str) -> jwt.PyJWK:
    try:
        key = jwt.PyJWK(dict(entry), algorithm)
        too_short = key.Algorithm.check_key_length(key.key)
    except Exception as error:  # noqa: BLE001 - PyJWT raises whatever its parts do for a malformed member
        raise _UnusableError(f"is malformed ({type(error).__name__})") from None
    if too_short:
        raise _UnusableError("is too short")
    return key
