"""`list`: the instances of all checkouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from hubpod.context import Context, side_by_side
from hubpod.deployment.status import State, read_status
from hubpod.environments import ENVIRONMENTS
from hubpod.instances import find_instance
from hubpod.podman.disk_usage import volume_sizes
from hubpod.podman.inventory import FoundInstance, find_instances
from hubpod.podman.snapshot import Snapshot
from hubpod.system.background import start


@dataclass(frozen=True, kw_only=True)
class ListedInstance:
    """An instance, as `dev.list` prints it.

    Attributes:
        environment: Name of its environment.
        instance: Its own name.
        state: ready, starting, degraded or down; running if only another version of hubpod can judge it.
        url: Address of the hub; empty if no port is published.
        started: When its oldest container was started; None if it is down.
        disk_bytes: Size of its volumes.
        checkout: The checkout that created it; empty if it is not known.
    """

    environment: str
    instance: str
    state: str
    url: str
    started: datetime | None
    disk_bytes: int
    checkout: str

    def as_dict(self) -> dict[str, object]:
        """Return the value that ``--json`` prints."""
        return {**vars(self), "started": self.started.isoformat() if self.started else None}


def list_instances(context: Context) -> list[ListedInstance]:
    """Return the instances of all checkouts, with their present state."""
    sizes = start(partial(volume_sizes, context.podman))
    found = find_instances(context.podman)
    states: dict[int, tuple[str, str]] = {}
    side_by_side([partial(_judge, context, each, number, states) for number, each in enumerate(found)])
    by_name = sizes()
    return [_describe(each, *states[number], by_name) for number, each in enumerate(found)]


def _judge(context: Context, found: FoundInstance, number: int, states: dict[int, tuple[str, str]]) -> None:
    """Find out state and address of an instance."""
    snapshot = Snapshot(containers=found.containers, volumes=found.volumes)
    if not snapshot.running:
        states[number] = (State.DOWN.value, "")
    elif found.environment in {environment.name for environment in ENVIRONMENTS}:
        now = read_status(context.podman, find_instance(found.environment, found.name), snapshot)
        states[number] = (now.state.value, now.url)
    else:
        states[number] = ("running", "")


def _describe(found: FoundInstance, state: str, url: str, sizes: Mapping[str, int]) -> ListedInstance:
    running = [each.started for each in found.containers.values() if each.state == "running" and each.started]
    return ListedInstance(
        environment=found.environment,
        instance=found.name,
        state=state,
        url=url,
        started=datetime.fromtimestamp(min(running), tz=UTC) if running else None,
        disk_bytes=sum(sizes.get(name, 0) for name in found.volumes),
        checkout=found.project,
    )
