"""Going back to what ran before, when what should take its place does not become ready."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hubpod import deployment, seeding
from hubpod.client.deadline import Deadline
from hubpod.components import jupyterhub
from hubpod.context import Context
from hubpod.credentials import new_private_file, private_folder
from hubpod.environments import Instance
from hubpod.errors import HubpodError
from hubpod.pod import SeedKind
from hubpod.podman import STOP_GRACE_S
from hubpod.podman_volumes import export, restore
from hubpod.status import State, status

READY_TIMEOUT_S = 120.0
LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Before:
    """What ran before.

    Attributes:
        folder: Private, with an archive of each volume that an upgrade may write.
        manifest: What was played.
        labels: Labels of these volumes, by name.
    """

    folder: Path
    manifest: str
    labels: dict[str, dict[str, str]]

    def archive(self, volume: str) -> Path:
        """The content of a volume."""
        return self.folder / f"{volume}.tar"


@contextmanager
def on_failure(context: Context, instance: Instance) -> Iterator[None]:
    """Run what replaces an instance; when it fails, put back the volumes and the pod that were there.

    The hub stops while its database is copied. Other data is not touched by an upgrade, and not copied.
    """
    before = _remember(context, instance)
    try:
        yield
    except BaseException as error:
        if before:
            _go_back(context, instance, before)
            if isinstance(error, HubpodError):
                error.remedy = f"what ran before runs again; {error.remedy or 'correct the cause and try again'}"
        raise
    finally:
        if before:
            shutil.rmtree(before.folder)


def _remember(context: Context, instance: Instance) -> Before | None:
    """Copy what is to be put back; None when nothing of ours has been up."""
    podman, manifest = context.podman, deployment.played(context.workspace, instance)
    if not manifest or not podman.pod_exists(instance.resource):
        return None
    volumes = podman.volumes(instance.labels).values()
    database = instance.volume(jupyterhub.DATA_VOLUME)
    labels = {
        volume.name: dict(volume.labels)
        for volume in volumes
        if volume.labels.get(seeding.KIND) != SeedKind.DATA.value or volume.name == database
    }
    folder = context.workspace.folder(instance) / "before"
    shutil.rmtree(folder, ignore_errors=True)  # of a command that was killed
    before = Before(folder=private_folder(folder), manifest=manifest, labels=labels)
    with context.reporter.phase("what runs remembered"):
        podman.run("stop", f"--time={STOP_GRACE_S}", f"{instance.resource}-{jupyterhub.NAME}", check=False)
        for name in labels:
            with new_private_file(before.archive(name)):
                export(podman, name, before.archive(name))
    return before


def _go_back(context: Context, instance: Instance, before: Before) -> None:
    with context.reporter.phase("gone back to what ran before"):
        context.podman.remove_pod(instance.resource)
        for name, labels in before.labels.items():
            restore(context.podman, name, labels, before.archive(name))
        seeding.forget(context.workspace, instance)
        deployment.play(context.podman, before.manifest)
        deadline = Deadline(READY_TIMEOUT_S, "the return of what ran before")
        while status(context.podman, instance).state is not State.READY:
            deadline.pause(LOOK_AGAIN_S)
