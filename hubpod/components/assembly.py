"""The pod of an environment: which components its axes name."""

from collections.abc import Callable
from typing import assert_never

from hubpod.components import jupyterhub, proxy, slurm
from hubpod.components.parts import Component, Site
from hubpod.environments import Environment, Ingress, Slurm
from hubpod.pod import PodSpec


def makers(environment: Environment) -> tuple[Callable[[Site], Component], ...]:
    """The components of an environment, in the order in which their containers start."""
    chosen: list[Callable[[Site], Component]] = []
    match environment.slurm:
        case Slurm.POD:
            chosen.append(slurm.component)
        case Slurm.EXTERNAL:
            raise NotImplementedError
        case _:
            assert_never(environment.slurm)
    match environment.ingress:
        case Ingress.HOST_PORT:
            chosen.append(proxy.component)
        case Ingress.ZENITH:
            raise NotImplementedError
        case _:
            assert_never(environment.ingress)
    return (*chosen, jupyterhub.component)


def pod_spec(site: Site) -> PodSpec:
    """The whole pod of one instance."""
    components = [make(site) for make in makers(site.instance.environment)]
    return PodSpec(
        name=site.instance.resource,
        labels=site.instance.labels,
        containers=tuple(component.container for component in components),
        seeds=tuple(seed for component in components for seed in component.seeds),
        host_aliases={name: ip for component in components for name, ip in component.host_aliases.items()},
    )


def readiness(environment: Environment) -> dict[str, tuple[str, ...]]:
    """The command that tells whether a container does its work, by the container's name; for those that have one."""
    commands: dict[str, tuple[str, ...]] = {"jupyterhub": jupyterhub.READY}
    if environment.slurm is Slurm.POD:
        commands["slurm"] = slurm.READY
    return commands
