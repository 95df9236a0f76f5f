"""The containers and volumes of an instance at one moment, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from hubpod.podman.answers import ContainerState, Volume
from hubpod.podman.cli import Podman
from hubpod.system.background import start


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The containers and volumes of an instance, by podman's names.

    No other command changes them while this command holds the instance's lock.
    """

    containers: Mapping[str, ContainerState]
    volumes: Mapping[str, Volume]

    @property
    def running(self) -> dict[str, ContainerState]:
        """The containers that run."""
        return {name: state for name, state in self.containers.items() if state.state == "running"}

    def volume_label(self, label: str) -> str:
        """Return the value of a label that any of the volumes has, or an empty text."""
        values = (volume.labels.get(label, "") for volume in self.volumes.values())
        return next(filter(None, values), "")


def take_snapshot(podman: Podman, labels: Mapping[str, str]) -> Snapshot:
    """Query podman for the containers and the volumes that carry all these labels."""
    volumes = start(partial(podman.volumes, labels))
    return Snapshot(containers=podman.containers(labels), volumes=volumes())
