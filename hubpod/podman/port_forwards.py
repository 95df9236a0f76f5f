"""Port forwards that remain when podman is killed while it removes a container.

netavark forwards a published port with an iptables rule, and the first rule for a port wins, so that a later container
on the same port is unreachable. Only podman as root leaves such rules: without root a process forwards the ports.
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
LIST_RULES = (*TABLE, "-S")
_RULE = re.compile(r"-A (NETAVARK-DN-\S+ .*--dport (\d+) .*-j DNAT --to-destination ([\d.]+):\d+)")


@dataclass(frozen=True, kw_only=True)
class Forward:
    """An iptables rule that forwards a port.

    Attributes:
        port: Port on this machine.
        address: Address of the container.
        rule: The rule in the syntax of iptables, starting with its chain.
    """

    port: int
    address: str
    rule: str

    @property
    def removal(self) -> str:
        """The command that removes the rule."""
        return " ".join((*TABLE, "-D", self.rule))


def find_stale(podman: Podman) -> tuple[Forward, ...]:
    """Return the forwards to addresses in podman's networks that no container has.

    The result is empty if the containers' addresses are unknown.
    """
    forwards = _list_forwards()  # before the containers, so that the address of a new one is known
    addresses = _container_addresses(podman) if forwards else None
    if addresses is None:
        return ()
    networks = [ipaddress.ip_network(subnet) for subnet in _subnets(podman)]
    unowned = [each for each in forwards if each.address not in addresses and _is_in(each, networks)]
    still_there = _list_forwards() if unowned else ()
    return tuple(each for each in unowned if each in still_there)


def remedy(forwards: Iterable[Forward]) -> str:
    """Return the commands that remove forwards, or an empty text without forwards."""
    commands = "`, `".join(forward.removal for forward in forwards)
    return f"as root: `{commands}`" if commands else ""


def _list_forwards() -> tuple[Forward, ...]:
    if os.getuid() or not shutil.which(TABLE[0]):
        return ()
    rules = process.run(LIST_RULES, check=False).stdout.splitlines()
    matches = map(_RULE.fullmatch, rules)
    return tuple(Forward(port=int(match[2]), address=match[3], rule=match[1]) for match in matches if match)


def _container_addresses(podman: Podman) -> set[str] | None:
    """Return the addresses of all containers, or None if one of them was removed meanwhile."""
    ids = podman.listing("ps", "--quiet")
    if not ids:
        return set()
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    result = podman.run("container", "inspect", "--format", template, *ids, check=False)
    return set(result.stdout.split()) if result.ok else None


def _subnets(podman: Podman) -> list[str]:
    rows = podman.rows("network", "ls")
    return [each["subnet"] for row in rows for each in row.get("subnets") or ()]


def _is_in(forward: Forward, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    address = ipaddress.ip_address(forward.address)
    return any(address in network for network in networks)
