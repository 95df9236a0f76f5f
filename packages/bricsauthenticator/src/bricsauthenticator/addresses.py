"""Addresses of nodes and of the Slurm host: pure."""

import ipaddress
import json


def read_address(answer: str) -> str | None:
    """Parse the IP address in the JSON that the wrappers print about a node.

    The result is empty if Slurm has not named one, and None if the wrappers do not print addresses.
    """
    for line in answer.splitlines():
        try:
            found = json.loads(line)["address"]
        except (ValueError, TypeError, KeyError):
            continue
        try:
            return str(ipaddress.ip_address(found))
        except ValueError:
            return ""
    return None


def host_of(address: str) -> str:
    """Return the host of `HOST`, `HOST:PORT`, `[IPv6]:PORT` or `IPv6`."""
    has_port = address.count(":") == 1 or "]:" in address
    return (address.rpartition(":")[0] if has_port else address).strip("[]")


def is_loopback(address: str) -> bool:
    """Whether an address, which may be empty, is one of the host itself."""
    return bool(address) and ipaddress.ip_address(address).is_loopback
