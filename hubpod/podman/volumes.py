"""Create, fill, export and replace podman's volumes."""

import json
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import MachineError
from hubpod.podman.cli import Podman

_REPLACE = "find /volume -mindepth 1 -delete && tar --extract --preserve-permissions --directory=/volume"
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


def create(podman: Podman, volumes: Mapping[str, Mapping[str, str]]) -> None:
    """Create empty volumes.

    After an error some of them may exist.

    The volumes are created as claims of one manifest: podman needs no longer for a dozen of them than
    `podman volume create` for one.

    Args:
        podman: podman.
        volumes: Labels of each volume, by its name.

    Raises:
        MachineError: A volume of that name exists already.
        CommandError: podman failed.
    """
    if not volumes:
        return
    # podman 4.3 refuses a claim whose volume exists. 5.4 uses the existing volume, whatever its labels.
    for name in sorted(volumes.keys() & set(podman.listing("volume", "ls", "--quiet"))):
        problem = f"the volume {name} exists already, and hubpod has not created it"
        raise MachineError(problem, remedy=f"remove it with `podman volume rm {name}`")
    podman.play("---\n".join(_claim(name, labels) for name, labels in volumes.items()))


def _claim(name: str, labels: Mapping[str, str]) -> str:
    """Render a PersistentVolumeClaim in JSON, which is a subset of YAML.

    podman reads its name and labels.
    """
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    return json.dumps(claim) + "\n"


def replace_content(podman: Podman, name: str, image: str, archive: bytes) -> None:
    """Replace the content of a volume by that of a tar archive, even while it is mounted.

    This runs in a container of the given image, because `podman volume import` keeps files that are not in the archive.

    Raises:
        CommandError: podman or tar failed.
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
        _REPLACE,
        stdin=archive,
    )


def add_files(podman: Podman, name: str, archive: bytes) -> None:
    """Write the files of a tar archive into a volume, even while it is mounted.

    Other files in the volume stay.

    Raises:
        CommandError: podman failed.
    """
    podman.run("volume", "import", name, "-", stdin=archive)


def export(podman: Podman, name: str, archive: Path) -> None:
    """Write the content of a volume to a new tar archive, including owners and modes.

    Raises:
        CommandError: podman failed.
    """
    podman.run("volume", "export", f"--output={archive}", name)


def replace(podman: Podman, name: str, labels: Mapping[str, str], archive: Path) -> None:
    """Replace an unmounted volume by a new one with these labels and an archive's content.

    Raises:
        CommandError: podman failed; the volume is then missing or incomplete.
    """
    podman.remove_volumes([name])
    create(podman, {name: labels})
    podman.run("volume", "import", name, str(archive))


def rehearse(podman: Podman, name: str, labels: Mapping[str, str], archive: Path) -> None:
    """Unpack an archive into a volume of its own, which is removed again.

    Raises:
        CommandError: The archive cannot be unpacked, or not beside all other volumes.
    """
    try:
        replace(podman, name, labels, archive)
    finally:
        podman.remove_volumes([name])


def remove_by_prefix(podman: Podman, prefix: str) -> None:
    """Remove all volumes whose names start with a prefix."""
    podman.remove_volumes(podman.listing("volume", "ls", "--quiet", f"--filter=name=^{prefix}"))
