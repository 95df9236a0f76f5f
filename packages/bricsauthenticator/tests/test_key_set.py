"""Key sets of issuers: which entries verify which tokens, and which cost only themselves."""

import json
from typing import Any

import pytest

from bricsauthenticator.hub_guard import strict_json
from bricsauthenticator.key_set import KeySetError, read_key_set
from bricsauthenticator.tokens import Header

ISSUER = "https://issuer.example"


@pytest.fixture
def good(new_key: Any) -> Any:
    """The key that stays usable, whatever is beside it."""
    return new_key("ES256", "good")


def ids(*entries: object) -> set[str]:
    """Return the ids of the usable keys among entries of a key set."""
    return set(read_key_set(ISSUER, {"keys": list(entries)}).keys)


RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


@pytest.mark.parametrize(
    ("made_for", "fitting"),
    [("RS256", RSA), ("ES256", ["ES256"]), ("ES384", ["ES384"]), ("ES512", ["ES512"]), ("EdDSA", ["EdDSA"])],
)
def test_a_key_without_alg_fits_all_algorithms_of_its_type(new_key: Any, made_for: str, fitting: list[str]) -> None:
    """A key without `alg` verifies every accepted algorithm of its type and curve, and no other."""
    entry = {name: value for name, value in new_key(made_for, "k").public_jwk.items() if name != "alg"}
    keys = read_key_set(ISSUER, {"keys": [entry]})

    found = {
        algorithm
        for algorithm in (*RSA, "ES256", "ES384", "ES512", "EdDSA", "HS256", "none")
        if keys.find(Header(algorithm=algorithm, key_id="k"))
    }

    assert found == set(fitting)


def test_a_key_with_alg_fits_that_algorithm_only(new_key: Any) -> None:
    """The algorithm that a key names is the only one that it verifies."""
    keys = read_key_set(ISSUER, {"keys": [new_key("PS256", "k").public_jwk]})

    assert keys.find(Header(algorithm="PS256", key_id="k"))
    assert not keys.find(Header(algorithm="RS256", key_id="k"))


UNUSABLE: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg null": {"alg": None},
    "alg number": {"alg": 5},
    "alg list": {"alg": ["RS256"]},
    "alg HS256": {"alg": "HS256"},
    "alg of another type": {"alg": "ES256"},
    "encryption": {"use": "enc"},
    "use null": {"use": None},
    "encryption by key_ops": {"key_ops": ["encrypt"]},
    "key_ops text": {"key_ops": "verify"},
    "kid number": {"kid": 5},
    "kid long": {"kid": "k" * 300},
    "kty missing": {"kty": None},
    "kty list": {"kty": ["RSA"]},
    "kty unknown": {"kty": "LWE"},
    "kty oct": {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
    "modulus missing": {"n": None},
    "modulus number": {"n": 7},
    "modulus not base64": {"n": "?"},
    "modulus short": {"n": "AQAB"},
    "exponent one": {"e": "AQ"},
    "exponent even": {"e": "Ag"},
    "exponent object": {"e": {}},
    "crv unhashable": {"crv": []},
}


@pytest.mark.parametrize("changes", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_unusable_key_costs_that_key_only(new_key: Any, good: Any, changes: dict[str, Any]) -> None:
    """An entry that cannot verify tokens is skipped with a reason, and the others stay."""
    entry = {**new_key("RS256", "bad").public_jwk, **changes}

    key_set = read_key_set(ISSUER, {"keys": [entry, good.public_jwk]})

    assert set(key_set.keys) == {"good"}
    assert len(key_set.unusable) == 1


@pytest.mark.parametrize(
    "entry",
    ["text", None, [], 5, {}, {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "kid": "off the curve"},
     {"kty": "EC", "crv": "secp256k1", "x": "AQ", "y": "AQ", "kid": "k"}, {"kty": "EC", "kid": "k"},
     {"kty": "OKP", "crv": "Ed25519", "x": "AQ", "kid": "short"}, {"kty": "OKP", "crv": "X25519", "x": "A" * 43}],
    ids=json.dumps,
)  # fmt: skip
def test_a_malformed_entry_costs_no_other(good: Any, entry: object) -> None:
    """Anything in the list is skipped unless it is a key."""
    assert ids(entry, good.public_jwk) == {"good"}


def test_a_short_rsa_key_is_not_used(new_key: Any, good: Any) -> None:
    """An RSA key of fewer than 2048 bits is skipped."""
    assert ids(new_key("RS256", "short", bits=1024).public_jwk, good.public_jwk) == {"good"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_with_its_private_half_is_not_used(new_key: Any, good: Any, algorithm: str) -> None:
    """A key whose private half is published is skipped, and so is the same key without it."""
    leaked = new_key(algorithm, "leaked")
    twin = {**leaked.public_jwk, "kid": "twin"}

    assert ids(leaked.private_jwk, good.public_jwk) == {"good"}
    assert ids(leaked.private_jwk, twin, good.public_jwk) == {"good"}
    assert ids(twin, good.public_jwk) == {"twin", "good"}


def test_two_keys_of_one_id_are_both_refused(new_key: Any, good: Any) -> None:
    """An ambiguous id names no key, whichever comes first; the same is true of two keys without an id."""
    one, two = new_key("ES256", "twice").public_jwk, new_key("RS256", "twice").public_jwk
    nameless = [{name: value for name, value in key.items() if name != "kid"} for key in (one, two)]

    assert ids(one, two, good.public_jwk) == {"good"}
    assert ids(one, one, good.public_jwk) == {"good"}
    assert ids(*nameless, good.public_jwk) == {"good"}


def test_an_id_shared_with_an_encryption_key_is_not_ambiguous(new_key: Any) -> None:
    """Only keys that verify signatures compete for an id."""
    key = new_key("RS256", "k").public_jwk

    assert ids({**key, "use": "enc"}, key) == {"k"}


def test_an_entry_that_repeats_a_name_is_not_used(good: Any) -> None:
    """A key of which two readers see different values costs only itself."""
    entry = json.dumps({**good.public_jwk, "kid": "twice"}).replace('"kid"', '"kid": "other", "kid"')

    document = strict_json.parse_without_ambiguous(f'{{"keys": [{entry}, {json.dumps(good.public_jwk)}]}}')

    assert set(read_key_set(ISSUER, document).keys) == {"good"}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {}}, {"keys": "[]"}], ids=str)
def test_a_document_without_a_list_of_keys_is_refused(document: object) -> None:
    """A document that is not a key set withdraws nothing, because it is an error."""
    with pytest.raises(KeySetError):
        read_key_set(ISSUER, document)


def test_an_empty_list_is_a_key_set() -> None:
    """An issuer may withdraw all its keys."""
    assert read_key_set(ISSUER, {"keys": []}).keys == {}
