"""Bring an instance to its planned state, until a notebook can be spawned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hubpod.components import jupyterhub
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import seeding, tracebacks
from hubpod.deployment.answers import describe_met, find_unchecked
from hubpod.deployment.container_checks import Check
from hubpod.deployment.kept_logs import keep_logs
from hubpod.deployment.peer_names import write_peer_names
from hubpod.deployment.readiness import wait_until_ready
from hubpod.deployment.refresh import find_readers, refresh, restarts_whole_pod
from hubpod.deployment.remove import find_pods, remove_pods
from hubpod.deployment.seeding import StaleVolumes
from hubpod.deployment.status import published_url
from hubpod.errors import MachineError, NotReadyError
from hubpod.images import source_volumes
from hubpod.labels import LABEL_MANIFEST
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import Seed
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot
from hubpod.pods import InstanceSpec
from hubpod.system.process import CommandError
from hubpod.workspace import Workspace


class PortTakenError(MachineError):
    """Another program took the published port between its choice and its use."""


class Difference(Enum):
    """The difference between a running instance and the planned one."""

    NONE = "none"
    CONTENT = "content of volumes"
    POD = "pod"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The changes that brought an instance to its planned state.

    Attributes:
        difference: The difference before the changes.
        restarted: Names of the containers that were restarted to read new content of volumes.
    """

    difference: Difference
    restarted: tuple[str, ...] = ()


def bring_up(  # noqa: PLR0913 - the plan, the present state and two options
    context: Context,
    site: Site,
    spec: InstanceSpec,
    found: Snapshot,
    *,
    keep: bool = False,
    checks: Mapping[str, Check] | None = None,
) -> Outcome:
    """Bring the instance to its planned state, changing no more than differs.

    Args:
        context: Context of the command.
        site: Everything that the pods derive from.
        spec: The planned instance.
        found: The containers and volumes that exist.
        keep: Leave the new pods and volumes even if a notebook cannot be spawned.
        checks: First readiness checks that are under way, for an instance that does not differ.

    Raises:
        NotReadyError: A notebook cannot be spawned afterwards.
        PortTakenError: Another program has the published port.
    """
    source_volumes.record_directories(context.workspace, site.instance, site.sources)
    stale = seeding.find_stale(context.workspace, site, spec, found)
    restarted: tuple[str, ...] = ()
    difference = compare(spec, found, stale)
    match difference:
        case Difference.POD:
            _replace_pods(context, site, spec, stale, keep=keep)
        case Difference.CONTENT:
            restarted = refresh(context, site, spec, stale, keep=keep)
        case Difference.NONE:
            context.reporter.say("  nothing changed: the pod runs as it is")
            _wait(context, site, spec, checks or {})
    files = context.workspace.files(site.instance)
    seeding.save_seeds(context.workspace, site, spec)
    files.update_record(manifest=podman_manifest.manifest(spec))
    # From now on users write to this pod's database, so that no later command may restore the one of before.
    files.remove_backup()
    return Outcome(difference=difference, restarted=restarted)


def find_difference(workspace: Workspace, site: Site, spec: InstanceSpec, found: Snapshot) -> Difference:
    """Compare the present state with the planned instance."""
    return compare(spec, found, seeding.find_stale(workspace, site, spec, found))


def compare(spec: InstanceSpec, found: Snapshot, stale: StaleVolumes) -> Difference:
    """Compare the present state with the planned instance, given the volumes that differ."""
    if stale.missing or not _is_whole(spec, found, find_readers(spec, stale.changed)):
        return Difference.POD
    if restarts_whole_pod(spec, stale.changed):
        return Difference.POD
    return Difference.CONTENT if stale.changed else Difference.NONE


def _is_whole(spec: InstanceSpec, found: Snapshot, restarting: Sequence[str]) -> bool:
    """Return whether the planned pods exist with all their containers, as far as they must run.

    Containers in `restarting` may have ended, because a killed command may have left them stopped.
    """
    needed = {full for name, full in spec.podman_names.items() if name not in restarting}
    if len(found.containers) != len(spec.containers) or not needed <= found.running.keys():
        return False
    # podman copies a pod's labels to its containers.
    return {state.labels.get(LABEL_MANIFEST) for state in found.containers.values()} == {podman_manifest.digest(spec)}


def _replace_pods(context: Context, site: Site, spec: InstanceSpec, stale: StaleVolumes, *, keep: bool) -> None:
    """Remove the existing pods, recreate the stale volumes, start the planned pods and wait."""
    podman, reporter = context.podman, context.reporter
    if find_pods(podman, site.instance):
        with reporter.phase("pod that changed or was not whole removed"):
            remove_pods(podman, site.instance)
    try:
        with reporter.phase("volumes") as phase:
            seeding.recreate_volumes(context, site, stale)
            phase.result(f"{len(stale.all)} of {len(spec.seeds)} seeded")
        with reporter.phase("pod started"):
            play(podman, podman_manifest.manifest(spec))
            write_peer_names(podman, spec)
        _wait(context, site, spec, {})
    except BaseException as error:
        if isinstance(error, NotReadyError):
            _name_settings(context, site, spec, error)
        if not keep:
            _clean_up(context, site, spec, stale.all)
        raise


def _name_settings(context: Context, site: Site, spec: InstanceSpec, error: NotReadyError) -> None:
    """Show where the hub ended in the site's own settings, if it did, with the site's path and line."""
    if any(jupyterhub.SETTINGS in line for line in error.detail):
        log = context.podman.log(spec.podman_names[jupyterhub.NAME])
        error.detail = tracebacks.excerpt_own_code(site, log) or error.detail


def _clean_up(context: Context, site: Site, spec: InstanceSpec, recreated: tuple[Seed, ...]) -> None:
    """Remove the pods, and the volumes that this command created."""
    with context.reporter.phase("cleaned up") as phase:
        logs = keep_logs(context, site.instance, context.podman.containers(site.instance.labels))
        phase.result(f"the ends of its logs are in {logs}" if logs else "")
        remove_pods(context.podman, site.instance)
        existing = context.podman.volumes(site.instance.labels)
        context.podman.remove_volumes([seed.volume for seed in recreated if seed.volume in existing])
        seeding.note_written(context.workspace, site.instance, {seed.volume: None for seed in recreated})
        if len(recreated) == len(spec.seeds):
            seeding.forget_volumes(context.workspace, site.instance)


def play(podman: Podman, manifest: str) -> None:
    """Create and start the pods of a manifest.

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


def _wait(context: Context, site: Site, spec: InstanceSpec, checks: Mapping[str, Check]) -> None:
    """Wait until a notebook can be spawned.

    Raises:
        NotReadyError: No notebook can be spawned. The error carries the last log lines of the container at fault.
    """
    with context.reporter.phase("ready") as phase:
        url = published_url(site)
        answers = wait_until_ready(context.podman, site.instance, spec, url, phase.detail, first_checks=checks)
        phase.result(describe_met(answers))
    for each in find_unchecked(answers):
        context.reporter.say(f"  {each.sentence}")
