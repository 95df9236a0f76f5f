"""Bringing a pod to what it should be: its volumes, its containers, and the wait until it does its work."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hubpod import kube
from hubpod.components.parts import Site
from hubpod.context import PROJECT, Context, side_by_side
from hubpod.credentials import write_private
from hubpod.environments import Instance
from hubpod.errors import MachineError
from hubpod.pod import PodSpec, Seed
from hubpod.podman import Podman
from hubpod.podman_answers import Volume
from hubpod.process import CommandError
from hubpod.readiness import wait_until_ready
from hubpod.status import BASE_URL, DEPLOY_DIR, hub_url
from hubpod.workspace import Workspace


class PortTakenError(MachineError):
    """Somebody else took the published port between its choice and its use."""


DIGEST = "hubpod.digest"
KIND = "hubpod.kind"


def _volume_labels(site: Site, seed: Seed) -> dict[str, str]:
    labels = {**site.instance.labels, KIND: seed.kind.value, PROJECT: str(site.volumes.parent)}
    if seed.kind.follows_seed:
        labels[DIGEST] = seed.digest(site.credentials.digest_key)
        labels[DEPLOY_DIR] = str(site.settings.source.parent.resolve())
        labels[BASE_URL] = site.settings["baseUrl"]
    return labels


def _stale(existing: Mapping[str, Volume], site: Site, spec: PodSpec) -> list[Seed]:
    """The seeds whose volume is missing, or no longer has their content."""
    return [
        seed
        for seed in spec.seeds
        if seed.volume not in existing
        or (seed.kind.follows_seed and existing[seed.volume].labels != _volume_labels(site, seed))
    ]


def is_running(podman: Podman, site: Site, spec: PodSpec) -> bool:
    """Whether the pod is the wanted one, whole and running, with the wanted content in its volumes."""
    states = podman.containers(site.instance.labels).values()
    if len(states) != len(spec.containers) or any(state.state != "running" for state in states):
        return False
    if podman.pod_labels(spec.name).get(kube.LABEL_MANIFEST) != kube.digest(spec):
        return False
    return not _stale(podman.volumes(site.instance.labels), site, spec)


def replace(context: Context, site: Site, spec: PodSpec, *, keep: bool) -> None:
    """Remove what there is of the pod, seed the volumes that need it, start it and wait."""
    podman, reporter = context.podman, context.reporter
    if podman.pod_exists(spec.name):
        with reporter.phase("pod that changed or was not whole removed"):
            podman.remove_pod(spec.name)
    note = seeding_note(context.workspace, site.instance)
    half_made = note.read_text().split() if note.exists() else []
    existing = podman.volumes(site.instance.labels)
    podman.remove_volumes([name for name in half_made if existing.pop(name, None)])
    stale = _stale(existing, site, spec)
    try:
        with reporter.phase("volumes") as phase:
            # Noted on disk: a command that is killed leaves volumes that look whole and are empty.
            write_private(note, "\n".join(seed.volume for seed in stale).encode())
            podman.remove_volumes([seed.volume for seed in stale if seed.volume in existing])
            side_by_side([_seeder(podman, site, seed) for seed in stale])
            note.unlink()
            phase.result(f"{len(stale)} of {len(spec.seeds)} seeded")
        with reporter.phase("pod started"):
            _play(podman, spec)
        wait(context, site, spec)
    except BaseException:
        if not keep:
            _clean_up(context, site, spec, stale)
        raise


def seeding_note(workspace: Workspace, instance: Instance) -> Path:
    """Where the volumes that are being written are noted; there is no such file at any other time."""
    return workspace.folder(instance) / "seeding"


def _clean_up(context: Context, site: Site, spec: PodSpec, written: list[Seed]) -> None:
    """Remove the pod, and those volumes that this command has made."""
    with context.reporter.phase("cleaned up"):
        context.podman.remove_pod(spec.name)
        ours = context.podman.volumes(site.instance.labels)
        context.podman.remove_volumes([seed.volume for seed in written if seed.volume in ours])
        seeding_note(context.workspace, site.instance).unlink(missing_ok=True)


def _seeder(podman: Podman, site: Site, seed: Seed) -> Callable[[], None]:
    return lambda: podman.create_volume(seed.volume, _volume_labels(site, seed), seed.tar())


def _play(podman: Podman, spec: PodSpec) -> None:
    try:
        podman.play(kube.manifest(spec))
    except CommandError as error:
        text = "\n".join(error.detail)
        if "address already in use" in text or "port is already allocated" in text:
            raise PortTakenError(
                "the published port was taken while the pod started",
                detail=error.detail,
                remedy="run the command again, or choose another with --port",
            ) from error
        raise


def wait(context: Context, site: Site, spec: PodSpec) -> None:
    """Wait until a notebook could be spawned.

    Raises:
        NotReadyError: It cannot; carries the last log lines of the container that is to blame.
    """
    with context.reporter.phase("ready") as phase:
        url = hub_url(site.port, site.settings["baseUrl"])
        wait_until_ready(context.podman, site.instance, spec, url, phase.detail)
