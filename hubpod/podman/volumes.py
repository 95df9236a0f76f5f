"""Create, fill, export and replace podman's volumes."""

from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import MachineError
from hubpod.labels import LABEL_ROOT
from hubpod.pod import Seed, root_archive
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError

_REPLACE = "find /volume -mindepth 1 -delete && tar --extract --preserve-permissions --directory=/volume"
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


def create(podman: Podman, name: str, labels: Mapping[str, str]) -> None:
    """Create an empty volume.

    Raises:
        MachineError: A volume of that name exists already.
        CommandError: podman failed.
    """
    words = [f"--label={label}={value}" for label, value in labels.items()]
    if root := labels.get(LABEL_ROOT):
        # With an owner, podman does not give the root the owner and mode of the image's directory at the first mount.
        uid, gid = root.partition(" ")[2].split(":")
        words.append(f"--opt=o=uid={uid},gid={gid}")
    result = podman.run("volume", "create", *words, name, check=False)
    if "already exists" in result.stderr:
        problem = f"the volume {name} exists already, and hubpod has not created it"
        raise MachineError(problem, remedy=f"remove it with `podman volume rm {name}`")
    if not result.ok:
        raise CommandError(result)


def create_seeded(podman: Podman, seed: Seed, labels: Mapping[str, str]) -> None:
    """Create a volume with a seed's content.

    Raises:
        MachineError: A volume of that name exists already.
        CommandError: podman failed; the volume may exist then.
    """
    create(podman, seed.volume, {**labels, LABEL_ROOT: seed.root})
    add_files(podman, seed.volume, seed.tar())


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
    create(podman, name, labels)
    podman.run("volume", "import", name, str(archive))
    if root := labels.get(LABEL_ROOT):  # an exported archive has no entry for it
        add_files(podman, name, root_archive(root))


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
