"""podman's volumes and their content: filled, replaced, taken out, put back."""

import json
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import MachineError
from hubpod.podman.cli import Podman

_REFILL = "find /volume -mindepth 1 -delete && tar --extract --preserve-permissions --directory=/volume"
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


def create(podman: Podman, volumes: Mapping[str, Mapping[str, str]]) -> None:
    """Make empty volumes, each with its labels, by name; some may be there when it fails.

    As claims of a manifest, because that takes podman as long for a dozen as `podman volume create` takes for one.

    Raises:
        MachineError: There is a volume of one of the names already.
        CommandError: podman refused it.
    """
    if not volumes:
        return
    # podman 4.3 refuses a claim whose volume is there, 5.4 takes the volume for it, whoever's it is.
    for name in sorted(volumes.keys() & set(podman.listing("volume", "ls", "--quiet"))):
        problem = f"there is a volume {name} that hubpod has not made"
        raise MachineError(problem, remedy=f"remove it with `podman volume rm {name}`")
    podman.play("---\n".join(_claim(name, labels) for name, labels in volumes.items()))


def _claim(name: str, labels: Mapping[str, str]) -> str:
    """A PersistentVolumeClaim, of which podman reads name and labels; in JSON, which is YAML."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return json.dumps(claim) + "\n"


def replace_content(podman: Podman, name: str, image: str, archive: bytes) -> None:
    """Replace the content of a volume by that of a tar archive, also while containers have it mounted.

    Done inside a container of the given image, because `podman volume import` keeps what the archive does not have.

    Raises:
        CommandError: podman or tar refused it.
    """
    podman.run(
        "run",
        "--rm",
        "--interactive",
        "--pull=never",
        "--network=none",
        "--user=0:0",
        "--cap-drop=all",
        *(f"--cap-add={capability}" for capability in _CAPABILITIES),
        "--read-only",
        f"--volume={name}:/volume",
        "--entrypoint=sh",
        image,
        "-c",
        _REFILL,
        stdin=archive,
    )


def add_files(podman: Podman, name: str, archive: bytes) -> None:
    """Write the files of a tar archive into a volume, also while containers have it mounted; others in it stay.

    Raises:
        CommandError: podman refused it.
    """
    podman.run("volume", "import", name, "-", stdin=archive)


def export(podman: Podman, name: str, archive: Path) -> None:
    """Write the content of a volume to a new tar archive, owners and modes included.

    Raises:
        CommandError: podman refused it.
    """
    podman.run("volume", "export", f"--output={archive}", name)


def replace(podman: Podman, name: str, labels: Mapping[str, str], archive: Path) -> None:
    """Replace a volume that nobody has mounted by one with these labels and the content of a tar archive.

    Raises:
        CommandError: podman refused it; the volume is gone then, or half filled.
    """
    podman.remove_volumes([name])
    create(podman, {name: labels})
    podman.run("volume", "import", name, str(archive))


def remove_by_prefix(podman: Podman, prefix: str) -> None:
    """Remove the volumes whose names begin so; that there are none is no error."""
    podman.remove_volumes(podman.listing("volume", "ls", "--quiet", f"--filter=name=^{prefix}"))
