"""podman's objects that are found by a label: private networks, and the removal of all that one label has."""

import json
from collections.abc import Mapping

from hubpod.podman.cli import Podman

KILL_AT_ONCE = "--time=0"


def create_network(podman: Podman, name: str, labels: Mapping[str, str]) -> str:
    """Make a private network without name service; return its subnet, such as ``10.89.1.0/24``."""
    options = [f"--label={key}={value}" for key, value in labels.items()]
    podman.run("network", "create", "--disable-dns", *options, name)
    return subnet_of(podman, name)


def subnet_of(podman: Podman, name: str) -> str:
    """The addresses of a network that is there."""
    answer = json.loads(podman.run("network", "inspect", name).stdout)
    return str(answer[0]["subnets"][0]["subnet"])


def remove_network(podman: Podman, name: str) -> None:
    """Remove a network, and whatever is still in it; one that is not there is no error."""
    podman.run("network", "rm", "--force", KILL_AT_ONCE, name, check=False)


def find_by_label(podman: Podman, label: str, *, name_part: str = "\n") -> dict[str, list[str]]:
    """Everything with a label, as names by kind; containers also by a part of their name.

    A podman that was killed while it made a container leaves it in the storage alone, where it has no label.
    """
    containers = podman.listing("ps", "--all", f"--filter=label={label}", "--format={{.ID}}")
    rows = podman.rows("ps", "--all", "--external")
    half_made = [row["Id"] for row in rows if any(name_part in name for name in row.get("Names") or ())]
    return {
        "container": list(dict.fromkeys([*containers, *(each[:12] for each in half_made)])),
        "volume": podman.listing("volume", "ls", "--quiet", f"--filter=label={label}"),
        "network": podman.listing("network", "ls", "--quiet", f"--filter=label={label}"),
    }


def remove_by_label(podman: Podman, label: str, *, name_part: str = "\n") -> int:
    """Remove everything with a label, without waiting for anything to end well; return how many there were."""
    found = find_by_label(podman, label, name_part=name_part)
    if found["container"]:
        # With those that share its network: podman refuses to remove the owner of a network before them.
        podman.run("rm", "--force", "--depend", "--volumes", KILL_AT_ONCE, *found["container"], check=False)
    if found["volume"]:
        podman.run("volume", "rm", "--force", *found["volume"], check=False)
    for network in found["network"]:
        remove_network(podman, network)
    return sum(len(names) for names in found.values())
