"""New content for a pod that runs: volumes filled again where they are, and only those who read them restarted."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from hubpod.components import jupyterhub, proxy
from hubpod.components.site import Site
from hubpod.context import Context, side_by_side
from hubpod.deployment import seeding, syntax, tracebacks
from hubpod.deployment.readiness import LOG_LINES, READY_TIMEOUT_S, wait_until_ready
from hubpod.deployment.status import published_url
from hubpod.errors import HubpodError, NotReadyError
from hubpod.pod import REFUSED, Container, PodSpec, Seed, SeedKind
from hubpod.podman.cli import Podman

NOT_RESTARTED_TIMEOUT_S = 20.0
"""Where nothing had to restart, all is as ready as it will be."""

REFUSED_REMEDY = "correct the cause and run the command again"
BACK = "what ran before runs again, and your edit is untouched; correct it, and the next `dev.reload` takes it"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What is put into volumes.

    Attributes:
        archives: The new content, by the volume's name.
        held: What is in them now, as far as that is known.
        readers: The containers that have to restart to read it.
    """

    archives: Mapping[str, bytes]
    held: Mapping[str, bytes]
    readers: tuple[str, ...]


def refresh(context: Context, site: Site, spec: PodSpec, stale: seeding.Stale, *, keep: bool) -> tuple[str, ...]:
    """Fill volumes again, restart who reads them, and wait; when that fails, put back what was in them.

    Args:
        context: What commands work with.
        site: What the pod derives from.
        spec: The pod, which runs as it should but for the content of volumes.
        stale: What that is.
        keep: Leave the new content also when it does not work.

    Returns:
        The names of the containers that have restarted.

    Raises:
        SourceError: A module cannot be compiled; nothing has been touched.
        NotReadyError: No notebook could be spawned afterwards; tells what the person's own code has raised.
    """
    held = seeding.held(context, site, stale)
    syntax.require_valid(context.podman, site, spec, stale.changed, held)
    there = Exchange(
        archives={seed.volume: seed.tar() for seed in stale.changed}, held=held, readers=readers(spec, stale.changed)
    )
    begun = int(time.time())
    try:
        _exchange(context, site, spec, there)
    except NotReadyError as error:
        log = "\n".join(context.podman.log(f"{spec.name}-{reader}", since=begun) for reader in there.readers)
        error.detail = tracebacks.blamed(site, log) or error.detail
        if not keep and there.archives.keys() == held.keys():
            _put_back(context, site, spec, there, error)
        raise
    return there.readers


def readers(spec: PodSpec, seeds: tuple[Seed, ...]) -> tuple[str, ...]:
    """The containers that have to restart before they read what is in these volumes."""
    changed = {seed.volume for seed in seeds if not seed.read_each_time}
    return tuple(each.name for each in spec.containers if changed & {mount.volume for mount in each.mounts})


def _exchange(context: Context, site: Site, spec: PodSpec, there: Exchange) -> None:
    started: dict[str, int] = {}
    with (
        context.reporter.phase("volumes filled again") as phase,
        seeding.filled_again(context, site, spec, there.archives, there.held),
    ):
        concerned = [each for each in spec.containers if each.name in there.readers]
        side_by_side([partial(begin_anew, context.podman, spec, each, there.archives) for each in concerned])
        names = [f"{spec.name}-{reader}" for reader in there.readers]
        if names:
            states = context.podman.containers(site.instance.labels)
            started = {name: states[name].started for name in names if name in states}
        parts = ", ".join(volume.removeprefix(site.instance.volume("")) for volume in there.archives)
        phase.result(f"{parts}; restarted: {', '.join(there.readers) or 'nothing'}")
    _wait(context, site, spec, there, started)


def begin_anew(podman: Podman, spec: PodSpec, container: Container, written: Collection[str]) -> None:
    """Have a container read what was written: by its own command, where it has one that does, or by a restart.

    Raises:
        NotReadyError: It refuses what was written.
    """
    name = f"{spec.name}-{container.name}"
    credentials = {seed.volume for seed in spec.seeds if seed.kind is SeedKind.CREDENTIAL}
    as_variables = any(mount.volume in credentials.intersection(written) for mount in container.mounts)
    if container.renew and not as_variables:
        done = podman.execute(name, container.renew)
        if done.returncode == REFUSED:
            said = done.last_lines or tuple(podman.log(name).splitlines()[-LOG_LINES:])
            raise NotReadyError(f"{container.name} refuses what was changed", detail=said, remedy=REFUSED_REMEDY)
        if done.ok:
            return
    podman.restart(name)


def _wait(context: Context, site: Site, spec: PodSpec, there: Exchange, started: Mapping[str, int]) -> None:
    """Wait for those who have restarted, for the hub, which sees the whole way to Slurm, and for the login page."""
    url = published_url(site)
    concerned = {*there.readers, jupyterhub.NAME, *(() if url else (proxy.NAME,))}
    part = replace(spec, containers=tuple(each for each in spec.containers if each.name in concerned))
    with context.reporter.phase("ready") as phase:
        wait_until_ready(
            context.podman,
            site.instance,
            part,
            url,
            phase.detail,
            started=started,
            timeout_s=READY_TIMEOUT_S if there.readers else NOT_RESTARTED_TIMEOUT_S,
        )


def _put_back(context: Context, site: Site, spec: PodSpec, there: Exchange, error: NotReadyError) -> None:
    context.reporter.say("! what was changed does not work; what ran before is put back")
    try:
        _exchange(context, site, spec, Exchange(archives=there.held, held=there.archives, readers=there.readers))
    except HubpodError as second:
        error.remedy = f"what ran before was put back, and is not ready either: {second.message}"
    else:
        error.remedy = BACK
