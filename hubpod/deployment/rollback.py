"""Going back to what ran before, when what should take its place does not become ready."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hubpod.client.deadline import Deadline
from hubpod.components import jupyterhub
from hubpod.context import Context
from hubpod.deployment import apply, seeding
from hubpod.deployment.remove import remove_pod
from hubpod.deployment.status import State, status
from hubpod.environments import Instance
from hubpod.errors import HubpodError, MachineError
from hubpod.labels import LABEL_KIND
from hubpod.pod import STOP_GRACE_S, SeedKind
from hubpod.podman.volumes import export, replace
from hubpod.system.private_files import new_private_file, private_directory, read_record, write_private

FOLDER = "before"
COMPLETE = "complete.json"
"""Written last: without it a copy is the beginning of one."""

READY_TIMEOUT_S = 120.0
LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Before:
    """What ran before.

    Attributes:
        manifest: What was played.
        labels: Labels of the volumes that were copied, by name.
        written: What had been written into volumes after they were made, by name.
    """

    manifest: str
    labels: Mapping[str, Mapping[str, str]]
    written: Mapping[str, str]


@contextmanager
def on_failure(context: Context, instance: Instance, *, database: bool) -> Iterator[bool]:
    """Run what replaces an instance; when it fails, put back the volumes and the pod that were there.

    Args:
        context: What commands work with.
        instance: Which one.
        database: Whether the hub's database may change, too; the hub stops while that is copied. Other data is not
            touched by an upgrade, and not copied.

    Yields:
        Whether there is something to go back to.

    Raises:
        MachineError: What ran before could not be brought back; names the folder with the copies.
    """
    folder = context.workspace.folder(instance) / FOLDER
    before = _interrupted(context, folder) or _remember(context, instance, folder, database=database)
    try:
        yield before is not None
    except BaseException as error:
        if before:
            _bring_back(context, instance, before, folder, error)
            if isinstance(error, HubpodError):
                error.remedy = f"what ran before runs again; {error.remedy or 'correct the cause and try again'}"
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _interrupted(context: Context, folder: Path) -> Before | None:
    """What an upgrade that was killed wanted to go back to."""
    record = read_record(folder / COMPLETE)
    if not record:
        return None
    context.reporter.say("! an upgrade was interrupted; what ran before that one is what this one goes back to")
    return Before(**record)  # type: ignore[arg-type]  # written below


def _remember(context: Context, instance: Instance, folder: Path, *, database: bool) -> Before | None:
    """Copy what is to be put back; None when it is not known what was played."""
    podman, manifest = context.podman, apply.played(context.workspace, instance)
    if not manifest:
        context.reporter.say("! it is not known what runs, so there is no way back to it")
        return None
    hub = f"{instance.resource}-{jupyterhub.NAME}"
    shutil.rmtree(folder, ignore_errors=True)
    private_directory(folder)
    with context.reporter.phase("what runs remembered"):
        try:
            if database:
                podman.run("stop", f"--time={STOP_GRACE_S}", hub, check=False)
            before = Before(
                manifest=manifest,
                labels=_to_copy(context, instance, database=database),
                written=seeding.written(context.workspace, instance),
            )
            for name in before.labels:
                with new_private_file(_archive(folder, name)):
                    export(podman, name, _archive(folder, name))
            write_private(folder / COMPLETE, json.dumps(asdict(before)).encode())
        except BaseException:
            podman.run("start", hub, check=False)
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return before


def _to_copy(context: Context, instance: Instance, *, database: bool) -> dict[str, dict[str, str]]:
    volumes = context.podman.volumes(instance.labels).values()
    own = instance.volume(jupyterhub.DATA_VOLUME) if database else ""
    return {
        volume.name: dict(volume.labels)
        for volume in volumes
        if volume.labels.get(LABEL_KIND) != SeedKind.DATA.value or volume.name == own
    }


def _archive(folder: Path, volume: str) -> Path:
    return folder / f"{volume}.tar"


def _bring_back(context: Context, instance: Instance, before: Before, folder: Path, error: BaseException) -> None:
    try:
        with context.reporter.phase("gone back to what ran before"):
            remove_pod(context.podman, instance.resource)
            for name, labels in before.labels.items():
                replace(context.podman, name, labels, _archive(folder, name))
            seeding.note_written(context.workspace, instance, before.written)
            apply.play(context.podman, before.manifest)
    except HubpodError as second:
        raise MachineError(
            f"{error}; and what ran before could not be brought back: {second.message}",
            detail=getattr(error, "detail", ()),
            remedy=f"its database and configuration are in {folder}; prod.upgrade tries again",
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    try:
        deadline = Deadline(READY_TIMEOUT_S, "the return of what ran before")
        while status(context.podman, instance).state is not State.READY:
            deadline.pause(LOOK_AGAIN_S)
    except HubpodError:  # the reason why the upgrade failed is the one to tell
        context.reporter.say("! what ran before has been started again, and is not ready yet")
