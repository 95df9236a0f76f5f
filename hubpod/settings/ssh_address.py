"""Addresses of SSH servers: a host name or IP address, with a port if it is not 22."""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass

from hubpod.system.addresses import is_own_only, parse_address

SSH_PORT = 22
MAX_PORT = 65535
FORM = "must be a host name or address, with a port if it is not 22, such as ssh.example.org:2222 or [2001:db8::1]:2222"
LOGIN_USER = "jupyterspawner"

_MAX_NAME_CHARACTERS = 253
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
"""Host names as resolvers take them. RFC 1123 knows no underscore, but DNS and many sites do."""

_BRACKETS = re.compile(r"\[(?P<host>[^\[\]]*)\](?::(?P<port>.*))?")
_NAME_AND_PORT = re.compile(r"(?P<host>[^:]*)(?::(?P<port>[^:]*))?")


@dataclass(frozen=True, kw_only=True)
class SshAddress:
    """Where an SSH server listens.

    Attributes:
        host: Name in lower case without a dot at its end, or IP address in its usual form.
        port: The port.
    """

    host: str
    port: int = SSH_PORT

    @classmethod
    def parse(cls, text: str) -> "SshAddress":
        """Parse a host with an optional port.

        Raises:
            ValueError: The text has another form. The message is the end of a sentence about the text.
        """
        _require_host_only(text)
        host, port = _split(text)
        return cls(host=_parse_host(host), port=SSH_PORT if port is None else _parse_port(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port != SSH_PORT else self.host
        return host if self.port == SSH_PORT else f"{host}:{self.port}"

    @property
    def known_hosts_names(self) -> tuple[str, ...]:
        """The names by which ssh looks up the server's key.

        A key without a port is ssh's second choice for a port other than 22 (check_host_key in sshconnect.c).
        """
        return (self.host,) if self.port == SSH_PORT else (f"[{self.host}]:{self.port}", self.host)


def normalize(text: str) -> str:
    """Write an address in its usual form; other text is returned without whitespace around it."""
    try:
        return str(SshAddress.parse(text.strip()))
    except ValueError:
        return text.strip()


def find_problem(text: str) -> str:
    """Require the address of another machine than the one that connects to it."""
    try:
        host = SshAddress.parse(text).host
    except ValueError as error:
        return str(error)
    if is_own_only(host):
        return f"is {host}, which is the hub's own container there; name the Slurm host as containers reach it"
    return ""


def is_own(text: str) -> bool:
    """Whether a text is an address of the machine that connects to it, at port 22."""
    try:
        address = SshAddress.parse(text)
    except ValueError:
        # A short spelling such as 127.1, which is refused for other hosts.
        return is_own_only(text)
    return address.port == SSH_PORT and is_own_only(address.host)


def _require_host_only(text: str) -> None:
    if "://" in text or "/" in text:
        raise ValueError(f"{FORM}, and not a URL")
    if "@" in text:
        raise ValueError(f"must have no user before the host, because the hub logs in as {LOGIN_USER}; leave out the @")
    if not text.isascii():
        raise ValueError("must be in ASCII; write an international name in its form xn--…")


def _split(text: str) -> tuple[str, str | None]:
    """Separate host and port; an IPv6 address without brackets has no port."""
    if text.count(":") > 1 and not text.startswith("["):
        return text, None
    match = (_BRACKETS if text.startswith("[") else _NAME_AND_PORT).fullmatch(text)
    if not match:
        raise ValueError(FORM)
    return match["host"], match["port"]


def _parse_port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_PORT:
        raise ValueError(f"must have a port from 1 to {MAX_PORT} after its colon, or no colon")
    return int(text)


def _parse_host(text: str) -> str:
    name = text.lower().removesuffix(".")
    if "%" in name:
        raise ValueError("must be without a zone (%), which the hub's container does not have")
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    if address := parse_address(name):
        raise ValueError(f"is the address {address}; write it in this form")
    if re.fullmatch(r"([0-9]+\.)*[0-9]+", name) or ":" in name:
        raise ValueError("is not an IP address")
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_CHARACTERS:
        raise ValueError(FORM)
    return name
