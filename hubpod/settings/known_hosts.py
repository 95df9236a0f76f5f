"""known_hosts files: the keys that ssh trusts for a host, and the lines that ssh ignores.

The format is described in sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

paramiko's HostKeys does not know markers, wildcards and negation; docs/decisions/0028-ssh-files-by-cryptography.md
compares them.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

FIELDS = 3
"""Host names, key type and key, which a comment may follow."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One entry of the file.

    Attributes:
        number: The line number, counted from 1.
        marker: ``@cert-authority``, ``@revoked``, an unknown marker, or empty.
        fields: Host names, key type, key, and the words of a comment.
    """

    number: int
    marker: str
    fields: tuple[str, ...]

    @property
    def fault(self) -> str:
        """The reason why ssh ignores the line, if it does, as the end of a sentence."""
        if self.marker not in {"", "@cert-authority", "@revoked"}:
            return "has a marker that is neither @cert-authority nor @revoked"
        if len(self.fields) < FIELDS:
            return "must have host names, key type and key"
        names, kind, key = self.fields[:FIELDS]
        if names.startswith("|") and not _parse_hash(names):
            return "has a hashed host name that cannot be read"
        return "" if _is_key(kind, key) else "has a key that cannot be read as one of its type"


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """The entries of a file for one host.

    Attributes:
        trusted: Whether ssh trusts a key or a certificate authority for the host.
        malformed: The lines that ssh ignores: the reason by line number.
        with_port: The names of entries for the same host at other ports.
    """

    trusted: bool
    malformed: dict[int, str]
    with_port: tuple[str, ...]


def look_up(content: bytes, names: Sequence[str]) -> KnownHosts:
    """Look up a host as ssh does.

    Args:
        content: The file.
        names: The names by which ssh looks up the host, such as ``[ssh.example.org]:2222``.
    """
    lines = _parse_lines(content.decode(errors="replace"))
    malformed = {line.number: line.fault for line in lines if line.fault}
    usable = [line for line in lines if line.number not in malformed]
    matching = [line for line in usable if any(matches(line.fields[0], name) for name in names)]
    revoked = {line.fields[2] for line in matching if line.marker == "@revoked"}
    starts = tuple(f"[{name.lower()}]:" for name in names)
    return KnownHosts(
        trusted=any(line.fields[2] not in revoked for line in matching),
        malformed=malformed,
        with_port=tuple(
            name for line in usable for name in line.fields[0].split(",") if name.lower().startswith(starts)
        ),
    )


def matches(names: str, host: str) -> bool:
    """Check whether the first field of an entry, a hash or a list of patterns, matches a host."""
    host = host.lower()
    if names.startswith("|"):
        salt, digest = _parse_hash(names) or (b"", b"")
        return hmac.compare_digest(hmac.digest(salt, host.encode(), hashlib.sha1), digest)
    patterns = names.lower().split(",")
    if any(_matches_pattern(pattern[1:], host) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_matches_pattern(pattern, host) for pattern in patterns)


def _parse_lines(text: str) -> list[Line]:
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            marker = fields.pop(0) if fields[0].startswith("@") else ""
            lines.append(Line(number=number, marker=marker, fields=tuple(fields)))
    return lines


def _parse_hash(names: str) -> tuple[bytes, bytes] | None:
    """Return salt and digest of ``|1|SALT|DIGEST``, or None if it is not of that form."""
    _, version, *parts = names.split("|")
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts)
    except ValueError:
        return None
    size = hashlib.sha1(usedforsecurity=False).digest_size
    return (salt, digest) if version == "1" and len(salt) == len(digest) == size else None


def _is_key(kind: str, key: str) -> bool:
    """Check whether a key is of its type.

    For a type that cryptography does not know, only the name is checked.
    """
    try:
        serialization.load_ssh_public_key(f"{kind} {key}".encode())
    except UnsupportedAlgorithm:
        name = kind.encode()
        try:
            return base64.b64decode(key, validate=True).startswith(len(name).to_bytes(4, "big") + name)
        except ValueError:
            return False
    except (ValueError, NotImplementedError):  # the latter for a compressed point, which ssh does not read either
        return False
    return True


def _matches_pattern(pattern: str, host: str) -> bool:
    """Match an OpenSSH pattern, in which only * and ? are special."""
    special = {"*": ".*", "?": "."}
    return re.fullmatch("".join(special.get(each, re.escape(each)) for each in pattern), host) is not None
