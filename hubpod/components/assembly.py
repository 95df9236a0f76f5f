"""The pod of an environment: which components its axes name."""

from typing import Protocol

from hubpod.components import jupyterhub, proxy, slurm, zenith
from hubpod.components.site import Component, Site
from hubpod.environments import Environment
from hubpod.pod import PodSpec


class ComponentModule(Protocol):
    """What a module of a component has.

    Attributes:
        NAME: The container's name.
        READY: The command that tells whether the container does its work; empty where a line of its log does.
        READY_LINE: That line.
    """

    NAME: str
    READY: tuple[str, ...]
    READY_LINE: str

    def component(self, site: Site) -> Component:
        """The container and its seeds."""


def modules(environment: Environment) -> tuple[ComponentModule, ...]:
    """The components of an environment, in the order in which their containers start."""
    chosen: list[ComponentModule] = []
    if environment.slurm.in_pod:
        chosen.append(slurm)
    chosen += [proxy, jupyterhub]
    if environment.ingress.uses_zenith:
        chosen.append(zenith)
    return tuple(chosen)


def image_names(environment: Environment) -> tuple[str, ...]:
    """The images of our own that an environment's pod needs: folders below containers/."""
    names = ["jupyterhub"]
    if environment.slurm.in_pod:
        names.append("slurm")
    return tuple(names)


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
