"""Create a stack's containers with testcontainers, from the same values as the deployed pods."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker import version  # type: ignore[import-untyped]
from docker.types import EndpointConfig  # type: ignore[import-untyped]

from hubpod.pod import Container
from hubpod_harness.docker_environment import default_environment

with default_environment(without_home=True):
    from testcontainers.core.config import ConnectionMode, testcontainers_config
    from testcontainers.core.container import DockerContainer

CLIENT_TIMEOUT_S = 60
API_VERSION = "1.41"
"""Docker API version that podman 4.3 to 5.4 support. A query for the version makes podman search for its helpers'
packages, which takes half a second for each container."""

LINK_ADDRESS = 2
FIRST_EXTERNAL = 3
"""Host numbers in the stack's private network, where 1 is the gateway."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The private network of a stack.

    Attributes:
        name: Its name in podman.
        subnet: Its addresses, such as 10.89.1.0/24.
    """

    name: str
    subnet: str

    def address(self, number: int) -> str:
        """Return the address of a host by its number."""
        return str(ipaddress.ip_network(self.subnet)[number])


def use_socket(url: str) -> dict[str, Any]:
    """Connect testcontainers to a podman service, and return its client arguments.

    The reaper of testcontainers is an image from a registry and stays off: reaper.py cleans up instead.
    """
    testcontainers_config.tc_properties = {}
    testcontainers_config.hub_image_name_prefix = ""
    testcontainers_config.ryuk_disabled = True
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    testcontainers_config.tc_host_override = "127.0.0.1"
    return {"environment": {"DOCKER_HOST": url}, "timeout": CLIENT_TIMEOUT_S, "version": API_VERSION}


def create_in_network(  # noqa: PLR0913 - what a container is, and where it lives
    container: Container,
    *,
    name: str,
    hostname: str = "",
    labels: Mapping[str, str],
    client: dict[str, Any],
    network: Network,
    number: int,
    hosts: Mapping[str, str],
    writable: bool = False,
    ipv4_only: bool = False,
) -> DockerContainer:
    """Create a container with its own address, which resolves the given host names.

    A container that acts as a machine to be configured has a writable root.
    """
    return _create(
        container,
        name=name,
        client=client,
        read_only=not writable,
        labels=dict(labels),
        hostname=hostname or name,
        sysctls={"net.ipv6.conf.all.disable_ipv6": "1"} if ipv4_only else {},
        extra_hosts=dict(hosts),
        network=network.name,
        networking_config={
            network.name: EndpointConfig(version.__version__, ipv4_address=network.address(number)),
        },
    )


def create_beside(
    container: Container, *, name: str, labels: Mapping[str, str], client: dict[str, Any], other: str
) -> DockerContainer:
    """Create a container that shares the network of another one, as in a pod."""
    return _create(container, name=name, client=client, labels=dict(labels), network_mode=f"container:{other}")


def _create(container: Container, *, name: str, client: dict[str, Any], **more: Any) -> DockerContainer:  # noqa: ANN401
    with default_environment():
        created = DockerContainer(container.image, docker_client_kw=client, name=name, env=dict(container.env))
    if container.args:
        created.with_command(list(container.args))
    for mount in container.mounts:
        created.with_volume_mapping(mount.volume, mount.path, "ro" if mount.read_only else "rw")
    for path in container.tmpfs:
        created.tmpfs[path] = "rw,exec,nosuid,nodev,mode=" + ("1777" if path == "/tmp" else "0755")  # noqa: S108
    for port in container.ports:
        # docker-py accepts an address with the port, although testcontainers declares only the number.
        created.ports[f"{port.container}/tcp"] = (port.host_ip, port.host or None)  # type: ignore[assignment]
    more = {"read_only": True, **more}
    return created.with_kwargs(
        cap_drop=["ALL"],
        cap_add=list(container.capabilities),
        # A client that ends with its connection restarts, as in the pod. Other containers stay as a test left them.
        restart_policy={"Name": "on-failure"} if container.ready_line else None,
        security_opt=[] if container.may_gain_privileges else ["no-new-privileges"],
        **more,
    )
