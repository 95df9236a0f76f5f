"""Port forwards that outlived their container: a podman that is killed while it takes one away leaves them.

netavark forwards a published port with a rule of iptables, and the first rule for a port wins. Whoever publishes at the
same port later is not reached. Of podman with root only: without, ports are forwarded by a process that ends.
"""

import ipaddress
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from hubpod.podman.cli import Podman
from hubpod.system import process

TABLE = ("iptables", "-t", "nat")
LISTED = (*TABLE, "-S")
_RULE = re.compile(r"-A (NETAVARK-DN-\S+ .*--dport (\d+) .*-j DNAT --to-destination ([\d.]+):\d+)")


@dataclass(frozen=True, kw_only=True)
class Forward:
    """A rule that forwards a port.

    Attributes:
        port: On this machine.
        address: The container's.
        rule: As iptables takes it.
    """

    port: int
    address: str
    rule: str

    @property
    def removal(self) -> str:
        """The command that removes it."""
        return " ".join((*TABLE, "-D", self.rule))


def read(rules: str) -> tuple[Forward, ...]:
    """The forwards among what ``iptables -t nat -S`` writes."""
    found = map(_RULE.fullmatch, rules.splitlines())
    return tuple(Forward(port=int(each[2]), address=each[3], rule=each[1]) for each in found if each)


def left_behind(podman: Podman) -> tuple[Forward, ...]:
    """The forwards to addresses of podman's own networks that no container has; none where that cannot be told."""
    before = _listed()  # first: who starts meanwhile is among the containers
    if not before:
        return ()
    addresses = _addresses(podman)
    if addresses is None:
        return ()
    networks = [ipaddress.ip_network(subnet) for subnet in _subnets(podman)]
    unowned = [each for each in before if each.address not in addresses and _is_in(each, networks)]
    still_there = _listed() if unowned else ()
    return tuple(each for each in unowned if each in still_there)


def remedy(forwards: Iterable[Forward]) -> str:
    """What to do about them; empty when there are none."""
    commands = "`, `".join(forward.removal for forward in forwards)
    return f"as root: `{commands}`" if commands else ""


def _listed() -> tuple[Forward, ...]:
    if os.getuid() or not shutil.which(TABLE[0]):
        return ()
    return read(process.run(LISTED, check=False).stdout)


def _addresses(podman: Podman) -> set[str] | None:
    """The addresses of all containers; None when one of them went meanwhile."""
    ids = podman.listing("ps", "--quiet")
    if not ids:
        return set()
    told = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    result = podman.run("container", "inspect", "--format", told, *ids, check=False)
    return set(result.stdout.split()) if result.ok else None


def _subnets(podman: Podman) -> list[str]:
    rows = podman.rows("network", "ls")
    return [each["subnet"] for row in rows for each in row.get("subnets") or ()]


def _is_in(forward: Forward, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    address = ipaddress.ip_address(forward.address)
    return any(address in network for network in networks)
