"""known_hosts files: whether ssh finds a host in one, and which lines it would pass over."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization

from hubpod.settings.ssh_keys import BROKEN, PLAIN_TYPES, wire_string

FIELDS = 3
"""Names, type and key; a comment may follow."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """An entry of the file.

    Attributes:
        number: Counted from 1.
        marker: ``@cert-authority``, ``@revoked`` or nothing.
        fields: Host names, key type, key, comment.
    """

    number: int
    marker: str
    fields: tuple[str, ...]

    @property
    def wrong(self) -> str:
        """Why ssh passes over the line, as the end of a sentence; empty when it does not."""
        if self.marker not in {"", "@cert-authority", "@revoked"}:
            return "has a marker that is neither @cert-authority nor @revoked"
        if len(self.fields) < FIELDS:
            return "is not host names, key type and key"
        names, kind, key = self.fields[:FIELDS]
        try:
            if names.startswith("|"):
                _hashed(names)
            if wire_string(base64.b64decode(key, validate=True))[0] != kind.encode():
                return "has a key of another type than it says"
            if kind in PLAIN_TYPES:
                serialization.load_ssh_public_key(f"{kind} {key}".encode())
        except BROKEN:
            return "has a hashed name or a key that cannot be read"
        return ""


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """What a file says about one host.

    Attributes:
        pinned: Whether there is a key, or a certificate authority, that ssh trusts for it.
        malformed: The lines that ssh passes over, by number, with the reason.
        with_port: Entries of that host for other ports, as they stand in the file.
    """

    pinned: bool
    malformed: dict[int, str]
    with_port: tuple[str, ...]


def look_up(content: bytes, host: str) -> KnownHosts:
    """Look a host up, as ssh does for port 22: under its bare name."""
    lines = _lines(content.decode(errors="replace"))
    malformed = {line.number: line.wrong for line in lines if line.wrong}
    usable = [line for line in lines if line.number not in malformed]
    about = [line for line in usable if matches(line.fields[0], host)]
    revoked = {line.fields[2] for line in about if line.marker == "@revoked"}
    start = f"[{host.lower()}]:"
    return KnownHosts(
        pinned=any(line.fields[2] not in revoked for line in about),
        malformed=malformed,
        with_port=tuple(
            name for line in usable for name in line.fields[0].split(",") if name.lower().startswith(start)
        ),
    )


def matches(names: str, host: str) -> bool:
    """Whether the first field of an entry means a host: hashed, or patterns of which none excludes it."""
    host = host.lower()
    if names.startswith("|"):
        salt, digest = _hashed(names)
        return hmac.compare_digest(hmac.digest(salt, host.encode(), hashlib.sha1), digest)
    patterns = names.lower().split(",")
    if any(_glob(pattern[1:], host) for pattern in patterns if pattern.startswith("!")):
        return False
    return any(_glob(pattern, host) for pattern in patterns)


def _lines(text: str) -> list[Line]:
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if fields and not fields[0].startswith("#"):
            marker = fields.pop(0) if fields[0].startswith("@") else ""
            lines.append(Line(number=number, marker=marker, fields=tuple(fields)))
    return lines


def _hashed(names: str) -> tuple[bytes, bytes]:
    """Salt and digest of ``|1|salt|digest``."""
    _, version, *parts = names.split("|")
    decoded = [base64.b64decode(part, validate=True) for part in parts]
    size = hashlib.sha1(usedforsecurity=False).digest_size
    if version != "1" or [len(part) for part in decoded] != [size, size]:
        raise ValueError("not |1|salt|digest")
    return decoded[0], decoded[1]


def _glob(pattern: str, host: str) -> bool:
    """OpenSSH's patterns: only * and ? have a meaning."""
    special = {"*": ".*", "?": "."}
    return re.fullmatch("".join(special.get(each, re.escape(each)) for each in pattern), host) is not None
