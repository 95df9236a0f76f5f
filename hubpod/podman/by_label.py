"""Find and remove podman's objects by label, and create labelled private networks."""

import json
from collections.abc import Mapping

from hubpod.podman.cli import Podman

KILL_AT_ONCE = "--time=0"


def create_network(podman: Podman, name: str, labels: Mapping[str, str]) -> str:
    """Create a private network without DNS, and return its subnet, such as ``10.89.1.0/24``."""
    options = [f"--label={key}={value}" for key, value in labels.items()]
    podman.run("network", "create", "--disable-dns", *options, name)
    return subnet_of(podman, name)


def subnet_of(podman: Podman, name: str) -> str:
    """Return the subnet of an existing network."""
    networks = json.loads(podman.run("network", "inspect", name).stdout)
    return str(networks[0]["subnets"][0]["subnet"])


def remove_network(podman: Podman, name: str) -> None:
    """Remove a network and the containers on it, if it exists."""
    podman.run("network", "rm", "--force", KILL_AT_ONCE, name, check=False)


def find_by_label(podman: Podman, label: str, *, name_part: str = "\n") -> dict[str, list[str]]:
    """Return the names of all objects with a label, or the ids of containers, by kind.

    Args:
        podman: podman.
        label: The label, as NAME=VALUE.
        name_part: Part of a name that identifies further containers. A podman that is killed while it creates a
            container leaves it in the storage only, without labels.
    """
    containers = podman.listing("ps", "--all", f"--filter=label={label}", "--format={{.ID}}")
    rows = podman.rows("ps", "--all", "--external")
    by_name = [row["Id"] for row in rows if any(name_part in name for name in row.get("Names") or ())]
    return {
        "container": list(dict.fromkeys([*containers, *(each[:12] for each in by_name)])),
        "volume": podman.listing("volume", "ls", "--quiet", f"--filter=label={label}"),
        "network": podman.listing("network", "ls", "--quiet", f"--filter=label={label}"),
    }


def remove_by_label(podman: Podman, label: str, *, name_part: str = "\n") -> int:
    """Kill and remove all objects with a label, and return their number.

    The arguments are those of find_by_label.
    """
    found = find_by_label(podman, label, name_part=name_part)
    if found["container"]:
        # --depend: podman refuses to remove a container whose network others still share.
        podman.run("rm", "--force", "--depend", "--volumes", KILL_AT_ONCE, *found["container"], check=False)
    if found["volume"]:
        podman.run("volume", "rm", "--force", *found["volume"], check=False)
    for network in found["network"]:
        remove_network(podman, network)
    return sum(len(names) for names in found.values())
