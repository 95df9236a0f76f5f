"""Restore the previous pod and volumes if an upgrade fails."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hubpod.client.deadline import Deadline
from hubpod.components.assembly import backups, podman_name
from hubpod.context import Context
from hubpod.deployment import apply
from hubpod.deployment.remove import remove_pods
from hubpod.deployment.status import State, read_status
from hubpod.errors import HubpodError, MachineError
from hubpod.instances import Instance
from hubpod.labels import LABEL_KIND
from hubpod.pod import STOP_GRACE_S, SeedKind
from hubpod.podman.snapshot import Snapshot
from hubpod.podman.volumes import export, replace
from hubpod.system.private_files import new_private_file, private_directory, read_record, write_private
from hubpod.workspace import Workspace

COMPLETE = "complete.json"
"""Written last and removed first: a backup without it is incomplete, or of an upgrade that succeeded."""

ARCHIVE_ENDING = ".tar"

RESTORING = "restoring"
"""Exists while volumes are restored, and after a command that was killed meanwhile."""

READY_TIMEOUT_S = 120.0
STATUS_INTERVAL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Backup:
    """The previous pod of an upgrade, beside the archives of its volumes.

    Attributes:
        manifest: The manifest that its pod was played from.
        labels: Labels of the volumes that were archived, by name.
        written: Digests of the content that was written into volumes after their creation, by name.
    """

    manifest: str
    labels: Mapping[str, Mapping[str, str]]
    written: Mapping[str, str]


@contextmanager
def restoring_on_failure(context: Context, instance: Instance, found: Snapshot, *, database: bool) -> Iterator[bool]:
    """Run the block that replaces an instance, and restore the previous instance if it fails.

    Args:
        context: Context of the command.
        instance: The instance.
        found: Its containers and volumes.
        database: Whether the hub's database may change as well. It is archived while the hub is stopped. Other data is
            not archived, because an upgrade does not change it.

    Yields:
        Whether the previous instance can be restored.

    Raises:
        MachineError: The previous instance could not be restored. The error names the directory with the archives.
    """
    directory = context.workspace.files(instance).backup
    backup = _read_interrupted(context, directory) or _back_up(context, instance, found, database=database)
    try:
        yield backup is not None
    except BaseException as error:
        if backup and (directory / COMPLETE).exists():
            _restore(context, instance, backup, directory, error)
            if isinstance(error, HubpodError):
                error.remedy = f"what ran before runs again; {error.remedy or 'correct the cause and try again'}"
        raise
    context.workspace.files(instance).remove_backup()


def is_interrupted(workspace: Workspace, instance: Instance) -> bool:
    """Return whether an upgrade of the instance was killed, and nothing has become ready since."""
    return (workspace.files(instance).backup / COMPLETE).exists()


def finish_restoring(context: Context, instance: Instance) -> None:
    """Restore the volumes that a killed command has left half restored, before a container reads them.

    Raises:
        CommandError: podman failed; the next command tries again.
    """
    directory = context.workspace.files(instance).backup
    backup = _read(directory)
    if backup and (directory / RESTORING).exists():
        with context.reporter.phase("interrupted restoration of volumes finished"):
            remove_pods(context.podman, instance)
            _restore_volumes(context, instance, backup, directory)


def _read_interrupted(context: Context, directory: Path) -> Backup | None:
    """Return the backup of an upgrade that was killed, or None."""
    backup = _read(directory)
    if backup:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime((directory / COMPLETE).stat().st_mtime))
        context.reporter.say(
            f"! the upgrade of {when} was interrupted; if this one fails, what ran before that one is restored"
        )
    return backup


def _read(directory: Path) -> Backup | None:
    record = read_record(directory / COMPLETE)
    return Backup(**record) if record else None  # type: ignore[arg-type]  # written below


def _back_up(context: Context, instance: Instance, found: Snapshot, *, database: bool) -> Backup | None:
    """Archive the instance for a failed upgrade, or return None if its manifest is unknown."""
    podman, files = context.podman, context.workspace.files(instance)
    record = files.load_record()
    if not record.manifest:
        context.reporter.say("! the manifest of what runs is not known, so a failed upgrade cannot restore it")
        return None
    writers = sorted({podman_name(instance, each.name) for each in backups(instance.environment).values()})
    files.remove_backup()
    private_directory(files.backup)
    with context.reporter.phase("what runs backed up"):
        try:
            if database:
                podman.run("stop", f"--time={STOP_GRACE_S}", *writers, check=False)
            backup = Backup(
                manifest=record.manifest,
                labels=_labels_to_archive(instance, found, database=database),
                written=record.written,
            )
            for name in backup.labels:
                with new_private_file(_archive(files.backup, name)):
                    export(podman, name, _archive(files.backup, name))
            write_private(files.backup / COMPLETE, json.dumps(asdict(backup)).encode())
        except BaseException:
            podman.run("start", *writers, check=False)
            files.remove_backup()
            raise
    return backup


def _labels_to_archive(instance: Instance, found: Snapshot, *, database: bool) -> dict[str, dict[str, str]]:
    data = {instance.volume(part) for part in backups(instance.environment)} if database else set()
    return {
        volume.name: dict(volume.labels)
        for volume in found.volumes.values()
        if volume.labels.get(LABEL_KIND) != SeedKind.DATA.value or volume.name in data
    }


def _archive(directory: Path, volume: str) -> Path:
    return directory / f"{volume}{ARCHIVE_ENDING}"


def _restore(context: Context, instance: Instance, backup: Backup, directory: Path, error: BaseException) -> None:
    try:
        with context.reporter.phase("what ran before restored"):
            remove_pods(context.podman, instance)
            _restore_volumes(context, instance, backup, directory)
            apply.play(context.podman, backup.manifest)
    except HubpodError as second:
        raise MachineError(
            f"{error}; and what ran before could not be restored: {second.message}",
            detail=getattr(error, "detail", ()),
            remedy=f"its database and configuration are in {directory}; `{instance.command('upgrade')}` tries again",
        ) from error
    context.workspace.files(instance).remove_backup()
    try:
        deadline = Deadline(READY_TIMEOUT_S, "the return of what ran before")
        while read_status(context.podman, instance).state is not State.READY:
            deadline.pause(STATUS_INTERVAL_S)
    except HubpodError:  # the command ends with the reason why the upgrade failed
        context.reporter.say("! what ran before was started again, and is not ready yet")


def _restore_volumes(context: Context, instance: Instance, backup: Backup, directory: Path) -> None:
    """Restore the archived volumes, and the record of their content."""
    write_private(directory / RESTORING, b"")
    for name, labels in backup.labels.items():
        replace(context.podman, name, labels, _archive(directory, name))
    context.workspace.files(instance).update_record(written=backup.written, manifest=backup.manifest)
    (directory / RESTORING).unlink()
