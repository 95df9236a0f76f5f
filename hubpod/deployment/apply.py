"""Bringing a pod to what it should be: its volumes, its containers, and the wait until it does its work."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import seeding
from hubpod.deployment.readiness import wait_until_ready
from hubpod.deployment.refresh import readers, refresh
from hubpod.deployment.remove import remove_pod
from hubpod.deployment.status import published_url
from hubpod.environments import Instance
from hubpod.errors import MachineError
from hubpod.images import source_volumes
from hubpod.labels import LABEL_MANIFEST
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import PodSpec, Seed
from hubpod.podman.cli import Podman
from hubpod.system.private_files import write_private
from hubpod.system.process import CommandError
from hubpod.workspace import Workspace


class PortTakenError(MachineError):
    """Somebody else took the published port between its choice and its use."""


class Difference(Enum):
    """How what runs differs from what is wanted."""

    NONE = "none"
    CONTENT = "content of volumes"
    POD = "pod"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What it took to make a pod what it should be.

    Attributes:
        difference: How it differed.
        restarted: The names of the containers that have restarted, where it was the content of volumes.
    """

    difference: Difference
    restarted: tuple[str, ...] = ()


def bring_up(
    context: Context, site: Site, spec: PodSpec, *, keep: bool = False, looking: Context | None = None
) -> Done:
    """Make the pod what it should be, and change no more than differs.

    Args:
        context: What commands work with.
        site: What the pod derives from.
        spec: The pod.
        keep: Leave what was started also when it does not work.
        looking: The context whose podman is asked what differs, where one knows that already.

    Raises:
        NotReadyError: No notebook could be spawned afterwards.
        PortTakenError: Somebody else has the published port.
    """
    source_volumes.note_folders(context.workspace, site.instance, site.sources)
    looking = looking or context
    stale = seeding.stale(looking, site, spec)
    restarted: tuple[str, ...] = ()
    differs = _difference(looking, site, spec, stale)
    match differs:
        case Difference.POD:
            _replace(context, site, spec, stale, keep=keep)
        case Difference.CONTENT:
            restarted = refresh(context, site, spec, stale, keep=keep)
        case Difference.NONE:
            context.reporter.say("  nothing changed: the pod runs as it is")
            wait(looking, site, spec)
    seeding.keep(context, site, spec)
    write_private(_played_file(context.workspace, site.instance), podman_manifest.manifest(spec).encode())
    return Done(difference=differs, restarted=restarted)


def difference(context: Context, site: Site, spec: PodSpec) -> Difference:
    """Compare what runs with what is wanted."""
    return _difference(context, site, spec, seeding.stale(context, site, spec))


def _difference(context: Context, site: Site, spec: PodSpec, stale: seeding.Stale) -> Difference:
    if stale.missing or not _is_played(context.podman, site, spec, readers(spec, stale.changed)):
        return Difference.POD
    return Difference.CONTENT if stale.changed else Difference.NONE


def _is_played(podman: Podman, site: Site, spec: PodSpec, restarting: Sequence[str]) -> bool:
    """Whether the pod is the wanted one, whole and running.

    Those that have to restart need not run: a command that was ended while it restarted them leaves them so.
    """
    states = podman.containers(site.instance.labels)
    needed = {f"{spec.name}-{each.name}" for each in spec.containers if each.name not in restarting}
    running = {name for name, state in states.items() if state.state == "running"}
    if len(states) != len(spec.containers) or not needed <= running:
        return False
    # podman gives a pod's labels to its containers, too.
    return {state.labels.get(LABEL_MANIFEST) for state in states.values()} == {podman_manifest.digest(spec)}


def _replace(context: Context, site: Site, spec: PodSpec, stale: seeding.Stale, *, keep: bool) -> None:
    """Remove what there is of the pod, make the volumes that need it, start it and wait."""
    podman, reporter = context.podman, context.reporter
    if podman.pod_exists(spec.name):
        with reporter.phase("pod that changed or was not whole removed"):
            remove_pod(podman, spec.name)
    try:
        with reporter.phase("volumes") as phase:
            seeding.make(context, site, stale)
            phase.result(f"{len(stale.all)} of {len(spec.seeds)} seeded")
        with reporter.phase("pod started"):
            play(podman, podman_manifest.manifest(spec))
        wait(context, site, spec)
    except BaseException:
        if not keep:
            _clean_up(context, site, spec, stale.all)
        raise


def _clean_up(context: Context, site: Site, spec: PodSpec, written: tuple[Seed, ...]) -> None:
    """Remove the pod, and those volumes that this command has made."""
    with context.reporter.phase("cleaned up"):
        remove_pod(context.podman, spec.name)
        ours = context.podman.volumes(site.instance.labels)
        context.podman.remove_volumes([seed.volume for seed in written if seed.volume in ours])
        if len(written) == len(spec.seeds):
            seeding.forget(context.workspace, site.instance)


def play(podman: Podman, manifest: str) -> None:
    """Create and start what a manifest describes.

    Raises:
        PortTakenError: A published port is taken.
        CommandError: podman refused it, or a container did not start.
    """
    try:
        podman.play(manifest)
    except CommandError as error:
        text = "\n".join(error.detail)
        if "address already in use" in text or "port is already allocated" in text:
            raise PortTakenError(
                "the published port was taken while the pod started",
                detail=error.detail,
                remedy="run the command again, or choose another with --port",
            ) from error
        raise


def played(workspace: Workspace, instance: Instance) -> str:
    """The manifest of the pod that became ready last; empty when there was none."""
    path = _played_file(workspace, instance)
    return path.read_text() if path.exists() else ""


def _played_file(workspace: Workspace, instance: Instance) -> Path:
    return workspace.folder(instance) / "manifest.yaml"


def wait(context: Context, site: Site, spec: PodSpec) -> None:
    """Wait until a notebook could be spawned.

    Raises:
        NotReadyError: It cannot; carries the last log lines of the container that is to blame.
    """
    with context.reporter.phase("ready") as phase:
        url = published_url(site)
        wait_until_ready(context.podman, site.instance, spec, url, phase.detail)
