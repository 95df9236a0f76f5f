"""The pod of an environment: which components its axes name."""

from typing import Protocol, assert_never

from hubpod.components import jupyterhub, proxy, slurm
from hubpod.components.parts import Component, Site
from hubpod.environments import Environment, Ingress, Slurm
from hubpod.pod import PodSpec


class ComponentModule(Protocol):
    """What a module of a component has.

    Attributes:
        NAME: The container's name.
        READY: The command that tells whether the container does its work; empty when the login page tells.
    """

    NAME: str
    READY: tuple[str, ...]

    def component(self, site: Site) -> Component:
        """The container and its seeds."""


def modules(environment: Environment) -> tuple[ComponentModule, ...]:
    """The components of an environment, in the order in which their containers start."""
    chosen: list[ComponentModule] = []
    match environment.slurm:
        case Slurm.POD:
            chosen.append(slurm)
        case Slurm.EXTERNAL:
            raise NotImplementedError
        case _:
            assert_never(environment.slurm)
    match environment.ingress:
        case Ingress.HOST_PORT:
            chosen.append(proxy)
        case Ingress.ZENITH:
            raise NotImplementedError
        case _:
            assert_never(environment.ingress)
    return (*chosen, jupyterhub)


def pod_spec(site: Site) -> PodSpec:
    """The whole pod of one instance."""
    components = [module.component(site) for module in modules(site.instance.environment)]
    return PodSpec(
        name=site.instance.resource,
        labels=site.instance.labels,
        containers=tuple(component.container for component in components),
        seeds=tuple(seed for component in components for seed in component.seeds),
        host_aliases={name: ip for component in components for name, ip in component.host_aliases.items()},
    )


def readiness(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The command that tells whether a container does its work, by the name of each of the pod's containers."""
    return {module.NAME: module.READY for module in modules(environment)}
