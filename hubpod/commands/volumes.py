"""An instance's volumes in a person's hands: seen, taken out, put back, begun anew."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hubpod.context import Context
from hubpod.deployment import seeding
from hubpod.deployment.status import State, status
from hubpod.environments import Instance, nearest
from hubpod.errors import MachineError, UsageError
from hubpod.labels import LABEL_KIND
from hubpod.pod import SeedKind
from hubpod.podman.volumes import export as write_archive
from hubpod.podman.volumes import replace as put_in_place
from hubpod.system.private_files import new_private_file

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Held:
    """One volume.

    Attributes:
        part: What it is called here, such as ``homes``.
        kind: What it holds: config, credential or data.
        name: podman's name for it.
    """

    part: str
    kind: str
    name: str


def found(context: Context, instance: Instance) -> tuple[Held, ...]:
    """The volumes that an instance has now."""
    volumes = context.podman.volumes(instance.labels)
    return tuple(
        Held(part=name.removeprefix(instance.volume("")), kind=volume.labels.get(LABEL_KIND, ""), name=name)
        for name, volume in sorted(volumes.items())
    )


def export(context: Context, instance: Instance, part: str, archive: Path) -> None:
    """Write a volume to a new tar archive of mode 0600, as it is at that moment.

    A database that is in use may be in the middle of something; who wants it whole takes the instance down before.

    Raises:
        UsageError: There is no such volume, or the file exists already.
    """
    held = _chosen(found(context, instance), part)
    with context.alone(instance), context.reporter.phase(f"{part} written") as phase:
        with new_private_file(archive):
            write_archive(context.podman, held.name, archive)
        phase.result(f"{archive}, {archive.stat().st_size} bytes")


def replace(context: Context, instance: Instance, part: str, archive: Path) -> None:
    """Put an archive in the place of a data volume; what was in it is gone.

    Raises:
        UsageError: There is no such volume, it follows the project, the file is no archive, or the instance runs.
    """
    _require_archive(archive)
    with context.alone(instance):
        held = _chosen_data(found(context, instance), part)
        _require_down(context, instance)
        with context.reporter.phase(f"{part} replaced") as phase:
            labels = context.podman.volumes(instance.labels)[held.name].labels
            # A command that is killed meanwhile leaves a volume that the next `up` makes anew, not half a volume.
            seeding.note_written(context.workspace, instance, {held.name: seeding.UNFINISHED})
            put_in_place(context.podman, held.name, labels, archive)
            seeding.note_written(context.workspace, instance, {held.name: None})
            phase.result(str(archive))


def reset(context: Context, instance: Instance, part: str) -> None:
    """Remove a data volume, or with ``all`` every one of them: the next `up` makes them anew.

    Raises:
        UsageError: There is no such volume, it follows the project, or the instance runs.
    """
    with context.alone(instance):
        held = found(context, instance)
        chosen = [each for each in held if _is_data(each)] if part == ALL else [_chosen_data(held, part)]
        _require_down(context, instance)
        with context.reporter.phase("volumes removed") as phase:
            context.podman.remove_volumes([each.name for each in chosen])
            phase.result(", ".join(each.part for each in chosen) or "none")


def _chosen_data(there: Sequence[Held], part: str) -> Held:
    held = _chosen(there, part)
    if not _is_data(held):
        raise UsageError(
            f"the volume {part} holds {held.kind}, which is written from the project and the deploy directory",
            remedy="change it there; the next `up` writes the volume",
        )
    return held


def _is_data(held: Held) -> bool:
    return held.kind == SeedKind.DATA.value


def _chosen(held: Sequence[Held], part: str) -> Held:
    parts = [each.part for each in held]
    if part in parts:
        return held[parts.index(part)]
    missing = f"there is no volume {part!r}{nearest(part, parts)}" if part else "--name is missing"
    raise UsageError(missing, remedy="volumes: " + (", ".join(parts) or "none, the instance has never been up"))


def _require_down(context: Context, instance: Instance) -> None:
    if status(context.podman, instance).state is not State.DOWN:
        raise UsageError(
            f"{instance.environment.name}, instance {instance.name}, uses its volumes now",
            remedy=f"take it down with `invoke dev.down -e {instance.environment.name} -i {instance.name}`",
        )


def _require_archive(archive: Path) -> None:
    """Read an archive to its end, because the volume that it replaces is gone before it is unpacked."""
    try:
        with tarfile.open(archive) as opened:
            stray = _leaves_volume(opened.getmembers())
    except OSError as error:
        raise MachineError(f"cannot read {archive}: {error.strerror}", remedy="give the archive's path") from None
    except (tarfile.TarError, EOFError):
        raise UsageError(f"{archive} is not a whole tar archive", remedy="give one that export has written") from None
    if stray:
        raise UsageError(
            f"{archive} has {stray!r}, which would be written outside of the volume",
            remedy="give one that export has written",
        )


def _leaves_volume(members: Sequence[tarfile.TarInfo]) -> str:
    """The name of a member that its path, or a link of the archive's own, leads elsewhere; empty when there is none."""
    links = {PurePosixPath(member.name) for member in members if member.issym()}
    for member in members:
        path, meant = PurePosixPath(member.name), PurePosixPath(member.linkname if member.islnk() else "")
        if any(each.is_absolute() or ".." in each.parts or links & set(each.parents) for each in (path, meant)):
            return member.name
    return ""
