"""Signing keys of the test issuer, and their public halves for a key set (RFC 7517)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hubpod.errors import HubpodError, nearest

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS = 2048
"""The minimum for RS256 and PS256 (RFC 7518, section 3.3)."""

_MAKERS: Mapping[str, Callable[[], PrivateKey]] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
    "RS512": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
    "PS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
ALGORITHMS = tuple(_MAKERS)


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key and its key id.

    Attributes:
        private: The key itself.
        algorithm: Its signature algorithm, as named in RFC 7518 and RFC 8037.
        key_id: Its `kid`.
    """

    private: PrivateKey = field(repr=False)
    algorithm: str
    key_id: str

    def sign(self, message: bytes) -> bytes:
        """Return the signature in JWS format."""
        return jwt.get_algorithm_by_name(self.algorithm).sign(message, self.private)

    @property
    def public_jwk(self) -> dict[str, object]:
        """Return the public half as an entry of a key set."""
        jwk = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    @property
    def public_pem(self) -> bytes:
        """Return the public half in PEM, which anyone can derive from the key set."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def new_key(algorithm: str, key_id: str) -> SigningKey:
    """Generate a key.

    Raises:
        HubpodError: The algorithm is not one of ALGORITHMS.
    """
    if algorithm not in _MAKERS:
        raise unknown_algorithm(algorithm)
    return SigningKey(private=_MAKERS[algorithm](), algorithm=algorithm, key_id=key_id)


def write_keys(keys: Mapping[str, SigningKey]) -> bytes:
    """Serialize keys by algorithm as JSON, which is a secret."""
    return json.dumps(
        {
            algorithm: {
                "key_id": key.key_id,
                "pem": key.private.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ).decode(),
            }
            for algorithm, key in keys.items()
        }
    ).encode()


def read_keys(text: bytes) -> dict[str, SigningKey]:
    """Parse the output of `write_keys`."""
    return {
        algorithm: SigningKey(
            private=serialization.load_pem_private_key(entry["pem"].encode(), password=None),  # type: ignore[arg-type]
            algorithm=algorithm,
            key_id=entry["key_id"],
        )
        for algorithm, entry in json.loads(text).items()
    }


def unknown_algorithm(name: str) -> HubpodError:
    """Return the error for an unsupported algorithm."""
    return HubpodError(
        f"the test issuer has no key for the algorithm {name!r}{nearest(name, ALGORITHMS)}",
        remedy="algorithms: " + ", ".join(ALGORITHMS),
    )


@cache
def foreign_key(algorithm: str, key_id: str) -> SigningKey:
    """Return a key that no issuer publishes. It is cached, because an RSA key takes 0.1 s."""
    return new_key(algorithm, key_id)
