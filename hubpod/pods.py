"""The value that describes all pods of an instance."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from hubpod.pod import Container, PodSpec, Seed


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """The pods of an instance, in the order in which they are started.

    Attributes:
        name: Prefix of the names of the instance's volumes.
        pods: The pods, at least one. Containers of different pods have different names.
    """

    name: str
    pods: tuple[PodSpec, ...]

    def __post_init__(self) -> None:
        parts = {seed.volume.removeprefix(f"{self.name}-") for seed in self.seeds}
        for first in parts:
            if second := next((each for each in parts if each.endswith(f"-{first}")), None):
                # With volumes `config` and `hub-config`, instances x and x-hub would share `…--x-hub-config`.
                raise ValueError(f"the volumes {first} and {second} of {self.name} have names that end alike")

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers of all pods."""
        return tuple(container for pod in self.pods for container in pod.containers)

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """The seeds of all pods, each volume once."""
        return tuple({seed.volume: seed for pod in self.pods for seed in pod.seeds}.values())

    @property
    def podman_names(self) -> Mapping[str, str]:
        """The names that podman gives the containers, by their names in their pods."""
        return {container.name: f"{pod.name}-{container.name}" for pod in self.pods for container in pod.containers}

    def only(self, containers: Collection[str]) -> "InstanceSpec":
        """The same instance with some of its containers."""
        return replace(
            self,
            pods=tuple(
                replace(pod, containers=tuple(each for each in pod.containers if each.name in containers))
                for pod in self.pods
            ),
        )
