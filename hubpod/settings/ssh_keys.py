"""Check that ssh in the hub's container can use a private key, and derive its public key."""

import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

TYPES = "Ed25519, ECDSA with P-256, P-384 or P-521, and RSA of at least 2048 bits"
RSA_MIN_BITS = 2048

_NEW = "create a new key with `ssh-keygen -t ed25519 -N '' -f FILE`"
_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_PEM = re.compile(rb"-----BEGIN (RSA |EC |DSA |ENCRYPTED )?PRIVATE KEY-----")
_PUBLIC_LINE = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ +AAAA")
_PUBLIC_BLOCKS = ("-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY")


class UnusableKeyError(ValueError):
    """The hub cannot use a key.

    Args:
        text: What is wrong with the key, as the end of a sentence.
        remedy: What to do, with FILE in place of the key's path.
    """

    def __init__(self, text: str, *, remedy: str = _NEW) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


def load_private_key(content: bytes) -> PrivateKey:
    """Load a private key that ssh can use without a passphrase.

    Raises:
        UnusableKeyError: The content is not a private key, has a passphrase, or is of a type that is not accepted.
    """
    content = normalize(content)
    _refuse_other_formats(content)
    openssh = content.startswith(_OPENSSH)
    if not openssh and not _PEM.search(content):
        raise UnusableKeyError("is not a private key in OpenSSH or PEM format")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    except TypeError as error:  # cryptography raises it for a missing passphrase
        raise UnusableKeyError(
            "is encrypted with a passphrase, which the hub does not have",
            remedy="remove it from a copy with `ssh-keygen -p -N '' -f FILE`, or create a new key",
        ) from error
    except (UnsupportedAlgorithm, NotImplementedError) as error:
        raise UnusableKeyError(f"is not accepted: {error}; accepted are {TYPES}") from error
    except ValueError as error:
        raise UnusableKeyError("is a damaged private key, or of an unknown format") from error
    if isinstance(key, Ed25519PrivateKey) and not openssh:
        raise UnusableKeyError(
            "is an Ed25519 key in PKCS#8 format, which OpenSSH reads only since 9.6",
            remedy="convert a copy with `ssh-keygen -p -N '' -f FILE` of OpenSSH 9.6 or later, or create a new key",
        )
    return _require_accepted_type(key)


def public_line(private_key: bytes) -> bytes:
    """Derive the public key, as type and base64.

    Raises:
        UnusableKeyError: The hub cannot use the private key.
    """
    public = load_private_key(private_key).public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def normalize(content: bytes) -> bytes:
    """Normalize the line ends of a key, including the last one.

    ssh reports an invalid format otherwise.
    """
    return content.replace(b"\r\n", b"\n").strip() + b"\n"


def is_pair(private_key: bytes, public_file: bytes) -> bool | None:
    """Return whether a ``.pub`` file has the public key of a private key, or None without any key.

    Raises:
        UnusableKeyError: The hub cannot use the private key.
    """
    fields = public_file.split()
    try:
        serialization.load_ssh_public_key(b" ".join(fields[:2]))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return fields[:2] == public_line(private_key).split()


def _refuse_other_formats(content: bytes) -> None:
    """Recognize files that operators put in the place of a private key."""
    text = content.decode(errors="replace")
    line = _PUBLIC_LINE.match(text)
    if text.startswith("-----BEGIN CERTIFICATE") or (line and "-cert-v01@" in line[0]):
        raise UnusableKeyError("is a certificate, not a private key", remedy="replace it with the private key")
    if line or text.startswith(_PUBLIC_BLOCKS):
        raise UnusableKeyError("is a public key, not a private key", remedy="replace it with the file without .pub")
    if text.startswith("PuTTY-User-Key-File"):
        raise UnusableKeyError(
            "is a PuTTY key, which OpenSSH does not read",
            remedy="convert it with `puttygen FILE -O private-openssh -o NEW`",
        )


def _require_accepted_type(key: object) -> PrivateKey:
    kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey):
        if key.key_size >= RSA_MIN_BITS:
            return key
        kind = f"RSA of {key.key_size} bits"
    if isinstance(key, EllipticCurvePrivateKey):
        if key.curve.name in _CURVES:
            return key
        kind = f"ECDSA with {key.curve.name}"
    raise UnusableKeyError(f"is of the type {kind}, which is not accepted; accepted are {TYPES}")
