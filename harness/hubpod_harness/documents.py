"""Documents of a token issuer, and invalid variants of them.

The formats are those of OpenID Connect Discovery 1.0 and RFC 7517.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from hubpod.errors import HubpodError, nearest
from hubpod_harness.keys import SigningKey
from hubpod_harness.token_mutations import FOREIGN_KEYS_PATH, foreign_key_set

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/certs"
MOVED_PATH = "/moved"
TOO_BIG_BYTES = 2**20
"""Larger than any key set, of which the hub reads at most 256 kB."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """The response at one path, with the fields of the server's control API."""

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False


Documents = Mapping[str, Document]
"""Documents by their path below the issuer's URL."""


def valid_documents(url: str, keys: Mapping[str, SigningKey], published: Sequence[SigningKey] = ()) -> Documents:
    """Return the discovery document and the key set of a working issuer.

    Args:
        url: The issuer's URL.
        keys: The current signing keys.
        published: Former signing keys that are still published.
    """
    discovery = {
        "issuer": url,
        "jwks_uri": url + KEYS_PATH,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(keys),
    }
    key_set = {"keys": [key.public_jwk for key in (*keys.values(), *published)]}
    return {
        DISCOVERY_PATH: Document(body=json.dumps(discovery)),
        KEYS_PATH: Document(body=json.dumps(key_set)),
        FOREIGN_KEYS_PATH: Document(body=json.dumps(foreign_key_set())),
    }


def _everywhere(change: Callable[[Document], Document]) -> Callable[[Documents], Documents]:
    return lambda good: {path: change(document) for path, document in good.items()}


def _discovery(**changes: object) -> Callable[[Documents], Documents]:
    def change(good: Documents) -> Documents:
        body = json.dumps(json.loads(good[DISCOVERY_PATH].body) | changes)
        return {**good, DISCOVERY_PATH: replace(good[DISCOVERY_PATH], body=body)}

    return change


def _redirect(good: Documents) -> Documents:
    # A client that follows the redirect finds valid documents, and would accept logins.
    base = urlsplit(json.loads(good[DISCOVERY_PATH].body)["issuer"]).path
    moved = {MOVED_PATH + path: document for path, document in good.items()}
    return moved | {
        path: Document(body="", status=302, headers={"Location": base + MOVED_PATH + path}) for path in good
    }


ERROR_PAGE = Document(status=500, content_type="text/html", body="<html><h1>500 Internal Server Error</h1></html>")

GARBAGE: Mapping[str, Callable[[Documents], Documents]] = {
    "not JSON": _everywhere(lambda good: replace(good, body=good.body[: len(good.body) // 2])),
    "empty": _everywhere(lambda good: replace(good, body="")),
    "array": _everywhere(lambda good: replace(good, body=f"[{good.body}]")),
    "nested": _everywhere(lambda good: replace(good, body="[" * 5000 + "]" * 5000)),
    "wrong issuer": _discovery(issuer="https://issuer.example/realms/test"),
    "no key set": _discovery(jwks_uri=None),
    "file as key set": _discovery(jwks_uri="file:///etc/passwd"),
    "keys elsewhere": _discovery(jwks_uri="http://169.254.169.254/latest/meta-data/"),
    "error page": _everywhere(lambda _: ERROR_PAGE),
    "not found": lambda _: {},
    "too big": _everywhere(lambda good: replace(good, body=good.body + " " * TOO_BIG_BYTES)),
    "endless": _everywhere(lambda good: replace(good, body=good.body + " " * TOO_BIG_BYTES, endless=True)),
    "redirect": _redirect,
}
"""Responses of a broken issuer by name, each made from the valid documents."""


Keys = list[dict[str, object]]


def _key_set(change: Callable[[Keys], Sequence[object]]) -> Callable[[Documents], Documents]:
    def change_keys(good: Documents) -> Documents:
        keys = json.loads(good[KEYS_PATH].body)["keys"]
        return {**good, KEYS_PATH: Document(body=json.dumps({"keys": change(keys)}))}

    return change_keys


_USELESS: Sequence[object] = (
    {"kty": "oct", "k": "AA", "alg": "HS256", "kid": "secret"},
    {"kty": "RSA", "kid": "half"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "none", "kid": "none"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB", "kid": "private"},
    "key",
    None,
)

KEY_SETS: Mapping[str, Callable[[Documents], Documents]] = {
    "without alg": _key_set(
        lambda good: [{name: value for name, value in key.items() if name != "alg"} for key in good]
    ),
    "beside useless ones": _key_set(lambda good: [*_USELESS, *good]),
    "none": _key_set(lambda _: []),
    "useless ones": _key_set(lambda _: _USELESS),
    "for encryption": _key_set(lambda good: [{**key, "use": "enc"} for key in good]),
    "of alg none": _key_set(lambda good: [{**key, "alg": "none"} for key in good]),
    "with private halves": _key_set(lambda good: [{**key, "d": "AQAB"} for key in good]),
    "twice": _key_set(lambda good: [*good, *good]),
}
"""Readable key sets of an issuer by name, each made from the current keys. Only the first two accept tokens."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """The behaviour of the issuer's server.

    Attributes:
        mood: The state in the server's control API: up, down, slow or hanging.
        delay_s: Seconds before each response, when it is slow.
        garbage: The key in GARBAGE of the documents; empty for valid ones.
        keys: The key in KEY_SETS of the published keys; empty for the usual ones.
    """

    mood: str = "up"
    delay_s: float = 0.0
    garbage: str = ""
    keys: str = ""

    def documents(self, good: Documents) -> Documents:
        """Return the documents that are served in place of the valid ones."""
        change = GARBAGE.get(self.garbage) or KEY_SETS.get(self.keys)
        return change(good) if change else good


def check_kind(what: str, kind: str, known: Mapping[str, object]) -> None:
    """Check that a kind of documents exists.

    Raises:
        HubpodError: It does not.
    """
    if kind not in known:
        raise HubpodError(
            f"the test issuer knows no {what} {kind!r}{nearest(kind, known)}", remedy="kinds: " + ", ".join(known)
        )
