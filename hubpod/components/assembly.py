"""The components of all environments, and the values that derive from them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hubpod.components import jupyterhub, proxy, slurm, zenith
from hubpod.components.component import Client, Component
from hubpod.components.site import Site
from hubpod.environments import ENVIRONMENTS, Environment, Stage
from hubpod.instances import Instance
from hubpod.labels import LABEL_POD
from hubpod.pod import PodSpec
from hubpod.pods import InstanceSpec
from hubpod.settings.credentials import Credential
from hubpod.settings.table import SETTINGS, Setting

COMPONENTS: tuple[Component, ...] = (slurm.COMPONENT, proxy.COMPONENT, jupyterhub.COMPONENT, zenith.COMPONENT)
"""Every component, in the order of start, except that a component starts after the components in its `after`."""


HUB_POD = "hub"
"""Value of the label of the hub's pod."""


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Where a kind of client enters an instance.

    Attributes:
        component: The component that serves the client.
        port: Its port in the pod.
    """

    component: Component
    port: int


def components(environment: Environment) -> tuple[Component, ...]:
    """List the components of an environment, in the order in which their containers start."""
    pending = [each for each in COMPONENTS if each.is_in(environment)]
    ordered: list[Component] = []
    while pending:
        names = {each.name for each in pending}
        ordered.append(next(each for each in pending if names.isdisjoint(each.after)))
        pending.remove(ordered[-1])
    return tuple(ordered)


def entrance(environment: Environment, client: Client) -> Entrance:
    """Find where a kind of client enters an instance of an environment.

    If several components serve the client, the last in order is its entrance.

    Raises:
        LookupError: No component serves such clients.
    """
    for component in reversed(components(environment)):
        if client in component.ports:
            return Entrance(component=component, port=component.ports[client])
    raise LookupError(f"no component of {environment.name} serves {client.value}")


def image_names(environment: Environment) -> tuple[str, ...]:
    """List the images of an environment that are always built.

    Each name is the directory below containers/.
    """
    return tuple(sorted({each.image.name for each in components(environment) if not each.image.reference}))


def container_names(stage: Stage) -> str:
    """List the containers of a stage's environments for a help text.

    The result is a text such as "jupyterhub, proxy or zenith".
    """
    environments = [environment for environment in ENVIRONMENTS if environment.stage is stage]
    *first, last = sorted({each.name for environment in environments for each in components(environment)})
    return f"{', '.join(first)} or {last}" if first else last


def credentials() -> tuple[Credential, ...]:
    """List the key material of all components, which every instance gets."""
    return tuple(credential for component in COMPONENTS for credential in component.credentials)


def settings() -> tuple[Setting, ...]:
    """List all keys of the deploy ConfigMap.

    The keys of a component are used only in environments with the component.
    """
    return (
        *SETTINGS,
        *(_limit(setting, component) for component in COMPONENTS for setting in component.settings),
    )


def _limit(setting: Setting, component: Component) -> Setting:
    """Limit a setting to the environments with a component."""
    return replace(setting, applies_to=lambda each: component.is_in(each) and setting.applies_to(each))


def backups(environment: Environment) -> Mapping[str, Component]:
    """Map each volume that an upgrade copies to the component that stops for the copy.

    The keys are the last parts of volume names.
    """
    return {volume: component for component in components(environment) for volume in component.backed_up}


def pod_names(instance: Instance) -> tuple[str, ...]:
    """List the names of an instance's pods, in the order in which they start."""
    return tuple(map(instance.pod, _parts(instance.environment)))


def podman_name(instance: Instance, container: str) -> str:
    """Return podman's name of a component's container, which is POD-CONTAINER."""
    part = next((each.pod for each in components(instance.environment) if each.name == container), "")
    return f"{instance.pod(part)}-{container}"


def short_name(instance: Instance, container: str) -> str:
    """Return the name in its pod of a container of an instance, by podman's name."""
    own = {podman_name(instance, each.name): each.name for each in components(instance.environment)}
    return own.get(container, container.removeprefix(f"{instance.resource}-"))


def instance_spec(site: Site) -> InstanceSpec:
    """Assemble the pods of one instance."""
    return InstanceSpec(
        name=site.instance.resource,
        pods=tuple(_pod(site, part) for part in _parts(site.instance.environment)),
    )


def _parts(environment: Environment) -> tuple[str, ...]:
    """List the parts of an environment's instances that have a pod of their own."""
    return tuple(dict.fromkeys(each.pod for each in components(environment)))


def _pod(site: Site, part: str) -> PodSpec:
    own = [each for each in components(site.instance.environment) if each.pod == part]
    specs = [each.spec(site) for each in own]
    return PodSpec(
        name=site.instance.pod(part),
        instance=site.instance.resource,
        labels={**site.instance.labels, LABEL_POD: part or HUB_POD},
        containers=tuple(spec.container for spec in specs),
        seeds=tuple(seed for spec in specs for seed in spec.seeds),
        # The hub opens connections to users' servers, which listen on any port.
        peer_ports=None if part else tuple(each.ports[Client.SERVER] for each in own if Client.SERVER in each.ports),
    )
