"""The instances of all checkouts that podman has resources of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hubpod.labels import LABEL_ENVIRONMENT, LABEL_INSTANCE, LABEL_PROJECT, LABEL_RUN, LABEL_STACK, MANAGED_BY
from hubpod.podman.answers import ContainerState, Volume
from hubpod.podman.cli import Podman
from hubpod.system.background import start

MANAGED = {MANAGED_BY: "hubpod"}


@dataclass(kw_only=True)
class FoundInstance:
    """An instance as podman's labels describe it.

    Attributes:
        environment: Name of its environment, which this checkout may not have.
        name: Its own name.
        containers: Its containers, by podman's names.
        volumes: Its volumes, by podman's names.
    """

    environment: str
    name: str
    containers: dict[str, ContainerState] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)

    @property
    def project(self) -> str:
        """The checkout that created it; empty if it has no volumes."""
        owners = (volume.labels.get(LABEL_PROJECT, "") for volume in self.volumes.values())
        return next(filter(None, owners), "")


def find_instances(podman: Podman) -> list[FoundInstance]:
    """Return the instances of all checkouts, sorted by environment and name."""
    volumes = start(lambda: podman.volumes(MANAGED))
    found: dict[tuple[str, str], FoundInstance] = {}
    for name, state in podman.containers(MANAGED).items():
        if key := _key(state.labels):
            found.setdefault(key, FoundInstance(environment=key[0], name=key[1])).containers[name] = state
    for name, volume in volumes().items():
        if key := _key(volume.labels):
            found.setdefault(key, FoundInstance(environment=key[0], name=key[1])).volumes[name] = volume
    return [found[key] for key in sorted(found)]


def _key(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the names of environment and instance, or None for a resource of tests."""
    if LABEL_RUN in labels or LABEL_STACK in labels:
        return None
    environment, name = labels.get(LABEL_ENVIRONMENT, ""), labels.get(LABEL_INSTANCE, "")
    return (environment, name) if environment and name else None
