"""The declaration of a component: the interface of one container of an instance to other code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from hubpod.components.site import Site
from hubpod.environments import Environment
from hubpod.pod import Container, Seed
from hubpod.settings.credentials import Credential
from hubpod.settings.table import Setting


class Client(Enum):
    """A kind of program that connects to a pod from outside."""

    BROWSER = "browsers"
    SERVER = "users' servers"


@dataclass(frozen=True, kw_only=True)
class Image:
    """The image of a component.

    Attributes:
        name: Name in ``Site.images``, and of the directory below containers/ that it is built from.
        reference: Reference in a registry, if the image is pulled; the directory then builds a stand-in, if any.
    """

    name: str
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A component of one site.

    Attributes:
        container: The container.
        seeds: The seeds of the component's own volumes.
    """

    container: Container
    seeds: tuple[Seed, ...]


@dataclass(frozen=True, kw_only=True)
class Component:
    """One container of an instance, with everything that derives from it.

    Attributes:
        name: The container's name within the pod.
        purpose: What the component does, in a few words.
        image: The image.
        spec: Returns the container and its seeds for a site.
        is_in: Whether an environment has the component.
        pod: The part of the instance whose pod, and so whose network, the container is in; the hub's pod if empty.
            Code of users must not run in the hub's pod.
        sources: Names of the development repositories that the image or a volume contains.
        credentials: Key material that is generated for the component.
        settings: Keys of the deploy ConfigMap that the component adds to the common ones.
        after: Names of the components that this component depends on. A component that an environment lacks is
            ignored.
        ready: Command inside the container that succeeds once the component works; empty if a log line says so.
        ready_line: Part of the log line that the component writes once it works.
        backed_up: Volumes, by the last part of their names, whose content an upgrade may change. An upgrade stops the
            component and copies them first.
        ports: The port that each kind of client reaches the pod by, if this component serves it.
    """

    name: str
    purpose: str
    image: Image
    spec: Callable[[Site], ContainerSpec]
    is_in: Callable[[Environment], bool] = lambda _: True
    pod: str = ""
    sources: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    settings: tuple[Setting, ...] = ()
    after: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    ready_line: str = ""
    backed_up: tuple[str, ...] = ()
    ports: Mapping[Client, int] = field(default_factory=dict)
