"""Nodes and partitions as sinfo prints them."""

from __future__ import annotations

import socket
from typing import Any

MAX_ADDRESSES = 3
USABLE = frozenset({"idle", "mixed", "mix", "allocated", "alloc", "completing", "comp", "planned", "plnd"})
HARMLESS_FLAGS = "~#%!-"
"""Flags of sinfo(1) behind a node's state: saving power, being powered up, planned for a job.

The others mean that it does not respond (*), is in maintenance ($) or about to reboot (@, ^)."""


def read_partitions(listing: str | None, partition: str) -> dict[str, Any]:
    """Read the nodes of a partition, or of the site's default one, from sinfo's lines.

    The answer counts the nodes by state, and has the addresses of some of those that can run a job.
    """
    if listing is None:
        return {"slurm": "sinfo does not answer"}
    rows = [line.split("|") for line in listing.splitlines()]
    states: dict[str, int] = {}
    nodes: dict[str, str] = {}
    names, up = set(), ""
    for name, available, state, node, address in (row for row in rows if len(row) == 5):  # noqa: PLR2004 - the format
        names.add(name.rstrip("*"))
        if name != partition and not (name.endswith("*") and partition in {"", name[:-1]}):
            continue
        up = available
        states[state] = states.get(state, 0) + 1
        if is_usable(state) and len(nodes) < MAX_ADDRESSES:
            nodes[node] = _resolve(address) or address
    return {
        "partitions": sorted(names),
        "partition": {"up": up, "states": states, "usable": sum(map(is_usable, states))},
        "nodes": nodes,
    }


def read_address(listing: str | None) -> str:
    """Return the address that Slurm has for a node (NodeAddr), as an IP address; empty without one.

    This host resolves a name, because Slurm itself uses the result.
    """
    words = (listing or "").split()
    return _resolve(words[0]) if words else ""


def _resolve(name: str) -> str:
    try:
        return str(socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)[0][4][0])
    except (OSError, UnicodeError):
        return ""


def is_usable(state: str) -> bool:
    """Whether a node in this state of sinfo runs jobs, now or after other jobs."""
    name = state.rstrip("*~#!%$@^-+").lower()
    return name in USABLE and not set(state[len(name) :]) - set(HARMLESS_FLAGS)
