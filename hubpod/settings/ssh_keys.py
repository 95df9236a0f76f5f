"""SSH keys: which private keys the hub can use as ssh reads them, and their public lines."""

import base64
import binascii
import re
import struct

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey

TYPES = "Ed25519, ECDSA with P-256, P-384 or P-521, and RSA of at least 2048 bits"
RSA_MIN_BITS = 2048

_NEW = "make a new one with `ssh-keygen -t ed25519 -N '' -f FILE`"
_CURVES = {"secp256r1", "secp384r1", "secp521r1"}
PLAIN_TYPES = {"ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521))}
_CERTIFICATE = "-cert-v01@openssh.com"
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_PEM = re.compile(rb"-----BEGIN ((?:RSA |EC |DSA |ENCRYPTED )?)PRIVATE KEY-----")
_PUBLIC_LINE = re.compile(r"(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ +AAAA")
BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error)


class UnfitKeyError(ValueError):
    """A key that the hub cannot use, as the end of a sentence.

    Args:
        text: What is wrong with it.
        remedy: What to do, with FILE for its path.
    """

    def __init__(self, text: str, *, remedy: str = _NEW) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


def load_private_key(content: bytes) -> PrivateKey:
    """A private key that ssh uses without asking anybody.

    Raises:
        UnfitKeyError: It is no private key, has a passphrase, or is of a type that is not accepted.
    """
    content = normalized(content)
    _refuse_others(content)
    openssh, pem = _OPENSSH.match(content), _PEM.search(content)
    if openssh:
        _refuse_by_header(openssh[1])
    elif pem and (pem[1] == b"ENCRYPTED " or b"Proc-Type: 4,ENCRYPTED" in content):
        raise _encrypted()
    elif not pem:
        raise UnfitKeyError("is not a private key in OpenSSH or PEM format")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(content, password=None)
    except BROKEN as error:
        raise UnfitKeyError("is a damaged private key, or one of an unknown kind") from error
    if isinstance(key, Ed25519PrivateKey) and not openssh:
        raise UnfitKeyError(
            "is an Ed25519 key in PKCS#8 format, which OpenSSH reads from 9.6 on only",
            remedy="convert a copy with `ssh-keygen -p -N '' -f FILE` of such an OpenSSH, or make a new one",
        )
    return _accepted(key)


def public_line(private_key: bytes) -> bytes:
    """The public key of a private one, as type and base64.

    Raises:
        UnfitKeyError: It is not a private key that can be used.
    """
    public = load_private_key(private_key).public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def normalized(content: bytes) -> bytes:
    """The text with the line ends, and the one at the end, without which ssh calls a key's format invalid."""
    return content.replace(b"\r\n", b"\n").strip() + b"\n"


def is_pair(private_key: bytes, public_file: bytes) -> bool | None:
    """Whether a ``.pub`` file has the public key of a private one; None when it has no public key.

    Raises:
        UnfitKeyError: The private key cannot be used.
    """
    fields = public_file.split()
    try:
        serialization.load_ssh_public_key(b" ".join(fields[:2]))
    except BROKEN:
        return None
    return fields[:2] == public_line(private_key).split()


def wire_string(data: bytes) -> tuple[bytes, bytes]:
    """The first string of SSH's wire format, and what follows it."""
    if len(data) < 4:  # noqa: PLR2004 - the length is a 32-bit number
        raise ValueError("too short")
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        raise ValueError("too short")
    return data[4 : 4 + length], data[4 + length :]


def _refuse_others(content: bytes) -> None:
    """Tell what somebody has put in a private key's place."""
    text = content.decode(errors="replace")
    line = _PUBLIC_LINE.match(text)
    if text.startswith("-----BEGIN CERTIFICATE") or (line and _CERTIFICATE in line[0]):
        raise UnfitKeyError("is a certificate, not a private key", remedy="put the private key there")
    if line or text.startswith(("-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY")):
        raise UnfitKeyError("is a public key, not a private one", remedy="put the file without .pub there")
    if text.startswith("PuTTY-User-Key-File"):
        raise UnfitKeyError(
            "is a PuTTY key, which OpenSSH does not read",
            remedy="convert it with `puttygen FILE -O private-openssh -o NEW`",
        )


def _refuse_by_header(body: bytes) -> None:
    """Look for a passphrase and an unfit type in the part of an OpenSSH key that is never encrypted."""
    try:
        rest = base64.b64decode(body).removeprefix(b"openssh-key-v1\0")
        cipher, rest = wire_string(rest)
        _, rest = wire_string(rest)
        _, rest = wire_string(rest)
        kind = wire_string(wire_string(rest[4:])[0])[0].decode(errors="replace")
    except BROKEN as error:
        raise UnfitKeyError("is a damaged private key") from error
    if kind not in PLAIN_TYPES:
        raise _unaccepted(kind if kind.isprintable() else "unknown")
    if cipher != b"none":
        raise _encrypted()


def _accepted(key: object) -> PrivateKey:
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey):
        if key.key_size < RSA_MIN_BITS:
            raise _unaccepted(f"RSA of {key.key_size} bits")
        return key
    if isinstance(key, EllipticCurvePrivateKey):
        if key.curve.name not in _CURVES:
            raise _unaccepted(f"ECDSA with {key.curve.name}")
        return key
    raise _unaccepted(type(key).__name__.strip("_").removesuffix("PrivateKey"))


def _unaccepted(kind: str) -> UnfitKeyError:
    return UnfitKeyError(f"is of the type {kind}, which is not accepted; {TYPES} are")


def _encrypted() -> UnfitKeyError:
    return UnfitKeyError(
        "is encrypted with a passphrase, which nobody can type for the hub",
        remedy="take it off a copy with `ssh-keygen -p -N '' -f FILE`, or make a new one",
    )
