"""Re-seed the volumes of a running pod, and restart only the containers that read them."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from hubpod.components import jupyterhub
from hubpod.components.assembly import entrance
from hubpod.components.component import Client
from hubpod.components.site import Site
from hubpod.context import Context, side_by_side
from hubpod.deployment import seeding, syntax, tracebacks
from hubpod.deployment.log_lines import last_lines, read_log
from hubpod.deployment.readiness import READY_TIMEOUT_S, wait_until_ready
from hubpod.deployment.seeding import StaleVolumes
from hubpod.deployment.status import published_url
from hubpod.errors import HubpodError, NotReadyError
from hubpod.pod import REFUSED, Container, Seed, SeedKind
from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec

NOTHING_RESTARTED_TIMEOUT_S = 20.0
"""Without a restart, a container that is not ready by then will not become ready."""

REFUSED_REMEDY = "correct the cause and run the command again"
RESTORED = "what ran before runs again; your edit is untouched"


@dataclass(frozen=True, kw_only=True)
class VolumeUpdate:
    """New content of volumes.

    Attributes:
        archives: The new content, by the volume's name.
        current: The present content of these volumes, as far as it is known.
        readers: Names of the containers that have to restart to read it.
    """

    archives: Mapping[str, bytes]
    current: Mapping[str, bytes]
    readers: tuple[str, ...]

    @property
    def can_be_undone(self) -> bool:
        """Whether the present content of every volume is known."""
        return self.archives.keys() == self.current.keys()

    @property
    def undo(self) -> "VolumeUpdate":
        """The update that restores the present content."""
        return VolumeUpdate(archives=self.current, current=self.archives, readers=self.readers)


def refresh(context: Context, site: Site, spec: InstanceSpec, stale: StaleVolumes, *, keep: bool) -> tuple[str, ...]:
    """Re-seed changed volumes, and restart the containers that read them until they are ready.

    If a container fails after an edit, its previous content is restored.

    Args:
        context: Context of the command.
        site: Everything that the pod derives from.
        spec: The pod, which runs as planned but for the content of volumes.
        stale: The volumes that differ.
        keep: Leave the new content even if it does not work.

    Returns:
        The names of the containers that were restarted.

    Raises:
        SourceError: A module cannot be compiled; nothing was touched.
        NotReadyError: A notebook cannot be spawned afterwards; carries the traceback through the developer's code.
    """
    current = seeding.load_saved_seeds(context.workspace, site, stale)
    syntax.require_valid(context.podman, site, spec, stale.changed, current)
    update = VolumeUpdate(
        archives={seed.volume: seed.tar() for seed in stale.changed},
        current=current,
        readers=find_readers(spec, stale.changed),
    )
    started = int(time.time())
    try:
        _apply(context, site, spec, update)
    except NotReadyError as error:
        readers = (spec.podman_names[reader] for reader in update.readers)
        log = "\n".join(read_log(context.podman, spec, reader, since=started) for reader in readers)
        error.detail = tracebacks.excerpt_own_code(site, log) or error.detail
        if not keep and update.can_be_undone:
            _restore(context, site, spec, update, error)
        raise
    return update.readers


def find_readers(spec: InstanceSpec, seeds: tuple[Seed, ...]) -> tuple[str, ...]:
    """Return the names of the containers that must restart to read new content of volumes."""
    changed = {seed.volume for seed in seeds if not seed.read_each_time}
    return tuple(each.name for each in spec.containers if changed & {mount.volume for mount in each.mounts})


def restarts_whole_pod(spec: InstanceSpec, seeds: tuple[Seed, ...]) -> bool:
    """Whether a container that is alone in its pod must restart to read new content of volumes.

    podman ends a pod whose last container has ended, and may do so while that container starts again.
    """
    written = {seed.volume for seed in seeds}
    lone = {pod.containers[0].name: pod.containers[0] for pod in spec.pods if len(pod.containers) == 1}
    readers = set(find_readers(spec, seeds)) & lone.keys()
    return any(not _may_renew(spec, lone[name], written) for name in readers)


def _may_renew(spec: InstanceSpec, container: Container, written: Collection[str]) -> bool:
    """Whether the container's own command makes it read new content; variables of its environment need a restart."""
    credentials = {seed.volume for seed in spec.seeds if seed.kind is SeedKind.CREDENTIAL}
    as_variables = any(mount.volume in credentials.intersection(written) for mount in container.mounts)
    return bool(container.renew) and not as_variables


def _apply(context: Context, site: Site, spec: InstanceSpec, update: VolumeUpdate) -> None:
    started: dict[str, int] = {}
    with (
        context.reporter.phase("volumes re-seeded") as phase,
        seeding.rewriting_volumes(context, site, spec, update.archives, update.current),
    ):
        readers = [each for each in spec.containers if each.name in update.readers]
        side_by_side([partial(renew, context.podman, spec, each, update.archives) for each in readers])
        names = [spec.podman_names[reader] for reader in update.readers]
        if names:
            states = context.podman.containers(site.instance.labels)
            started = {name: states[name].started for name in names if name in states}
        parts = ", ".join(volume.removeprefix(site.instance.volume("")) for volume in update.archives)
        phase.result(f"{parts}; restarted: {', '.join(update.readers) or 'nothing'}")
    _wait(context, site, spec, update, started)


def renew(podman: Podman, spec: InstanceSpec, container: Container, written: Collection[str]) -> None:
    """Make a container read new content of its volumes.

    The container's own command does this, if it has one. Otherwise the container is restarted.

    Raises:
        NotReadyError: The container refuses the new content.
    """
    name = spec.podman_names[container.name]
    if _may_renew(spec, container, written):
        result = podman.execute(name, container.renew)
        if result.returncode == REFUSED:
            lines = result.last_lines or last_lines(podman, spec, name)
            raise NotReadyError(f"{container.name} refuses what was changed", detail=lines, remedy=REFUSED_REMEDY)
        if result.ok:
            return
    podman.restart(name)


def _wait(context: Context, site: Site, spec: InstanceSpec, update: VolumeUpdate, started: Mapping[str, int]) -> None:
    """Wait for the restarted containers, the hub and the login page.

    The hub's check includes Slurm.
    """
    url = published_url(site)
    awaited = {
        *update.readers,
        jupyterhub.NAME,
        *(() if url else (entrance(site.instance.environment, Client.BROWSER).component.name,)),
    }
    with context.reporter.phase("ready") as phase:
        wait_until_ready(
            context.podman,
            site.instance,
            spec.only(awaited),
            url,
            phase.detail,
            started=started,
            timeout_s=READY_TIMEOUT_S if update.readers else NOTHING_RESTARTED_TIMEOUT_S,
        )


def _restore(context: Context, site: Site, spec: InstanceSpec, update: VolumeUpdate, error: NotReadyError) -> None:
    """Restore the previous content, and report the result in the error's remedy."""
    context.reporter.say("! the change does not work; what ran before is restored")
    try:
        _apply(context, site, spec, update.undo)
    except HubpodError as second:
        error.remedy = f"what ran before was restored, and is not ready either: {second.message}"
    else:
        error.remedy = f"{RESTORED}: correct it and run `{site.instance.command('reload')}` again"
