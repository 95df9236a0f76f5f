"""The Zenith client: the tunnel by which users reach a hub that publishes no port.

It runs ``ssh`` to the Zenith server, which forwards connections to the proxy. The client exits when the tunnel breaks,
and the pod's restart policy restarts it. Image, variables and files are those of the upstream client.
"""

from dataclasses import replace

from hubpod.components import proxy
from hubpod.components.component import Component, ContainerSpec, Image
from hubpod.components.site import CREDENTIALS, Site, files_below
from hubpod.pod import Container, File, Mount, Seed, SeedKind

NAME = "zenith"
IMAGE = "zenith-client"
REGISTRY_IMAGE = "ghcr.io/azimuth-cloud/zenith-client:0.16.1"
READY_LINE = "Tunnel configured successfully"
PROGRAMS = "/etc/hubpod/zenith"
"""Directory of the ssh that the client runs."""

# The client reads its files as root and then changes its user; init must still be able to signal it.
CAPABILITIES = ("KILL", "SETGID", "SETUID")


def spec(site: Site) -> ContainerSpec:
    """Describe the client with its key and configuration.

    Raises:
        ValueError: The deploy directory lacks the key or the configuration.
    """
    key_files = site.key_files
    if not key_files.zenith_client_key or not key_files.zenith_client_config:
        raise ValueError("a Zenith tunnel needs a key and a configuration")
    volume, programs = site.instance.volume("zenith-credentials"), site.instance.volume("zenith-config")
    key, configuration = f"{CREDENTIALS}/ssh_zenith_client_key", f"{CREDENTIALS}/zenith_client_config.yaml"
    container = Container(
        name=NAME,
        image=site.images[IMAGE],
        args=("zenith-client", "connect"),
        env={
            "ZENITH_CLIENT_CONFIG": configuration,
            "ZENITH_CLIENT__SSH_IDENTITY_PATH": key,
            "ZENITH_CLIENT__SSH_EXECUTABLE": f"{PROGRAMS}/ssh",
            "ZENITH_CLIENT__FORWARD_TO_HOST": "127.0.0.1",
            "ZENITH_CLIENT__FORWARD_TO_PORT": str(proxy.PORT),
        },
        mounts=(
            Mount(volume=volume, path=CREDENTIALS, read_only=True),
            Mount(volume=programs, path=PROGRAMS, read_only=True),
        ),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        capabilities=CAPABILITIES,
        ready_line=READY_LINE,
        waits_for="the tunnel to the Zenith server",
    )
    files = (
        File(path="ssh_zenith_client_key", content=key_files.zenith_client_key, mode=0o400),
        File(path="zenith_client_config.yaml", content=key_files.zenith_client_config, mode=0o400),
    )
    executables = tuple(replace(file, mode=0o755) for file in files_below(site.volumes / "zenith"))
    seeds = (
        Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files, mode=0o500),
        Seed(volume=programs, kind=SeedKind.CONFIG, files=executables),
    )
    return ContainerSpec(container=container, seeds=seeds)


COMPONENT = Component(
    name=NAME,
    purpose="connects the proxy to a Zenith server",
    image=Image(name=IMAGE, reference=REGISTRY_IMAGE),
    spec=spec,
    is_in=lambda environment: environment.ingress.uses_zenith,
    ready_line=READY_LINE,
)
