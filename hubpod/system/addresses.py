"""Host names and IP addresses in all of their spellings."""

import ipaddress
import re
import socket

LOOPBACK_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
)
"""Names of loopback in the /etc/hosts of Debian and Fedora."""


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address in any spelling that the C library reads, such as 127.1; None for a name.

    An IPv4 address that is written as an IPv6 address is returned as IPv4.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _parse_short_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def _parse_short_address(host: str) -> ipaddress.IPv4Address | None:
    """Parse an IPv4 address with fewer than four numbers, or with octal or hexadecimal ones (inet_aton(3))."""
    try:
        # inet_aton ignores everything after whitespace.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host and not re.search(r"\s", host) else None
    except (OSError, UnicodeError):
        return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    name = host.lower().removesuffix(".")
    address = parse_address(name)
    return address.is_loopback if address else name in LOOPBACK_NAMES or name.endswith(".localhost")


def is_own_only(host: str) -> bool:
    """Whether a host name or address means the machine that connects to it.

    These are loopback, and the address 0 of all interfaces.
    """
    address = parse_address(host.lower().removesuffix("."))
    return is_loopback(host) or bool(address and address.is_unspecified)
