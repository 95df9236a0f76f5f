"""`volumes`: list, export, import and reset the volumes of an instance."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hubpod.context import Context, Unknown
from hubpod.deployment import seeding
from hubpod.errors import MachineError, UsageError, nearest
from hubpod.instances import Instance
from hubpod.labels import LABEL_KIND
from hubpod.pod import SeedKind
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.snapshot import Snapshot
from hubpod.system.private_files import new_private_file

ALL = "all"
EXPORTED = "give one that dev.volumes export has written"


@dataclass(frozen=True, kw_only=True)
class InstanceVolume:
    """One volume of an instance.

    Attributes:
        part: Its short name, such as ``homes``.
        kind: Kind of its content: config, credential or data.
        name: podman's name of it.
    """

    part: str
    kind: str
    name: str


def list_volumes(context: Context, instance: Instance) -> tuple[InstanceVolume, ...]:
    """Return the volumes that an instance has now."""
    return _volumes(instance, context.find(instance, Unknown.REFUSE))


def export(context: Context, instance: Instance, part: str, archive: Path) -> None:
    """Write the present content of a volume to a new tar archive of mode 0600.

    A database that is in use may be in the middle of a transaction; take the instance down first for a consistent copy.

    Raises:
        UsageError: The volume does not exist, or the file exists already.
    """
    with context.locked(instance, Unknown.REFUSE_SIMILAR) as found:
        volume = _choose(_volumes(instance, found), part)
        with context.reporter.phase(f"{part} written") as phase:
            with new_private_file(archive):
                podman_volumes.export(context.podman, volume.name, archive)
            phase.result(f"{archive}, {archive.stat().st_size} bytes")


def replace(context: Context, instance: Instance, part: str, archive: Path) -> None:
    """Replace the content of a data volume by that of an archive.

    Raises:
        UsageError: The volume does not exist or does not hold data, the file is not an archive, or the instance runs.
        MachineError: The disk is full; the volume is unchanged.
    """
    _require_archive(archive)
    with context.locked(instance, Unknown.REFUSE_SIMILAR) as found:
        (volume,) = choose_volumes(instance, found, part, every=False)
        with context.reporter.phase(f"{part} replaced") as phase:
            labels = found.volumes[volume.name].labels
            # A full disk is found while the old content still exists.
            podman_volumes.rehearse(context.podman, f"{volume.name}-import", instance.labels, archive)
            # If this command is killed meanwhile, the next `up` recreates the volume instead of using half of it.
            seeding.note_written(context.workspace, instance, {volume.name: seeding.UNFINISHED})
            podman_volumes.replace(context.podman, volume.name, labels, archive)
            seeding.note_written(context.workspace, instance, {volume.name: None})
            phase.result(str(archive))


def reset(context: Context, instance: Instance, part: str) -> None:
    """Remove a data volume, or all of them with ``all``, for the next `up` to recreate.

    Raises:
        UsageError: The volume does not exist or does not hold data, or the instance runs.
    """
    with context.locked(instance, Unknown.REFUSE_SIMILAR) as found:
        chosen = choose_volumes(instance, found, part, every=True)
        with context.reporter.phase("volumes removed") as phase:
            context.podman.remove_volumes([each.name for each in chosen])
            phase.result(", ".join(each.part for each in chosen) or "none")


def choose_volumes(instance: Instance, found: Snapshot, part: str, *, every: bool) -> list[InstanceVolume]:
    """Return the data volumes that a command may remove or replace.

    Args:
        instance: The instance.
        found: What it has.
        part: Short name of the volume.
        every: Whether ``all`` stands for all volumes with data.

    Raises:
        UsageError: The volume does not exist or does not hold data, or the instance runs.
    """
    volumes = _volumes(instance, found)
    all_data = [each for each in volumes if _is_data(each)]
    chosen = all_data if every and part == ALL else [_choose_data(volumes, part)]
    _require_down(instance, found)
    return chosen


def _volumes(instance: Instance, found: Snapshot) -> tuple[InstanceVolume, ...]:
    return tuple(
        InstanceVolume(part=name.removeprefix(instance.volume("")), kind=volume.labels.get(LABEL_KIND, ""), name=name)
        for name, volume in sorted(found.volumes.items())
    )


def _choose_data(volumes: Sequence[InstanceVolume], part: str) -> InstanceVolume:
    volume = _choose(volumes, part)
    if not _is_data(volume):
        raise UsageError(
            f"the volume {part} holds {volume.kind}, which is written from the project and the deploy directory",
            remedy="change it there; the next `up` writes the volume",
        )
    return volume


def _is_data(volume: InstanceVolume) -> bool:
    return volume.kind == SeedKind.DATA.value


def _choose(volumes: Sequence[InstanceVolume], part: str) -> InstanceVolume:
    parts = [each.part for each in volumes]
    if part in parts:
        return volumes[parts.index(part)]
    missing = f"there is no volume {part!r}{nearest(part, parts)}" if part else "--name is missing"
    raise UsageError(missing, remedy="volumes: " + (", ".join(parts) or "none, the instance has never been up"))


def _require_down(instance: Instance, found: Snapshot) -> None:
    if found.running:
        raise UsageError(
            f"{instance}, is running and uses its volumes",
            remedy=f"take it down with `{instance.command('down')}`",
        )


def _require_archive(archive: Path) -> None:
    """Check that an archive is complete, and that its members stay in the volume.

    The archive is read to its end now, because the old volume is removed before the archive is unpacked.
    """
    try:
        with tarfile.open(archive) as opened:
            stray = _find_stray_member(opened.getmembers())
    except OSError as error:
        raise MachineError(f"cannot read {archive}: {error.strerror}", remedy="give the archive's path") from None
    except (tarfile.TarError, EOFError):
        raise UsageError(f"{archive} is not a complete tar archive", remedy=EXPORTED) from None
    if stray:
        raise UsageError(
            f"{archive} has {stray!r}, which would be written outside of the volume",
            remedy=EXPORTED,
        )


def _find_stray_member(members: Sequence[tarfile.TarInfo]) -> str:
    """Return the name of a member with a path or link out of the volume, or an empty text."""
    links = {PurePosixPath(member.name) for member in members if member.issym()}
    for member in members:
        path, target = PurePosixPath(member.name), PurePosixPath(member.linkname if member.islnk() else "")
        if any(each.is_absolute() or ".." in each.parts or links & set(each.parents) for each in (path, target)):
            return member.name
    return ""
