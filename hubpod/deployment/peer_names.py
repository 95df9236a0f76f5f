"""The names of an instance's pods in the files of hosts of its other pods."""

from contextlib import suppress
from pathlib import Path

from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec

FORMAT = "{{.HostsPath}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
"""Path of the file on this machine, and addresses. All containers of a pod have the same, and a restart keeps them."""


def write_peer_names(podman: Podman, spec: InstanceSpec) -> None:
    """Add the addresses of the instance's other pods to the file of hosts of each of its pods.

    podman's name service knows them, too. On Debian 12 it answers no query while it waits for the machine's own, which
    may take half a minute. It remains where podman reports no address, or a file cannot be written.

    Args:
        podman: The podman that has started the pods.
        spec: The pods.
    """
    if len(spec.pods) < 2:  # noqa: PLR2004 - no pod has a peer
        return
    members = [f"{pod.name}-{pod.containers[0].name}" for pod in spec.pods]
    found = podman.run("inspect", "--type=container", f"--format={FORMAT}", *members, check=False)
    rows = [line.split() for line in found.stdout.splitlines()]
    places = {pod.name: (Path(row[0]), row[1:]) for pod, row in zip(spec.pods, rows, strict=False) if len(row) > 1}
    for name, (file, _) in places.items():
        others = [(other, addresses) for other, (_, addresses) in places.items() if other != name]
        lines = [f"{address}\t{other}\n" for other, addresses in others for address in addresses]
        with suppress(OSError), file.open("a") as hosts:
            hosts.writelines(lines)
