"""The Zenith client: the tunnel through which people reach a hub that publishes no port.

It runs `ssh` to the Zenith server and asks it to forward connections to the proxy. It ends when the tunnel does, and
the pod's restart policy starts it again. Image, variables and files are those of the client's own image.
"""

from hubpod.components import proxy
from hubpod.components.site import CREDENTIALS, Component, Site
from hubpod.pod import Container, File, Mount, Seed, SeedKind

NAME = "zenith"
IMAGE = "zenith-client"
REGISTRY_IMAGE = "ghcr.io/azimuth-cloud/zenith-client:0.16.1"
READY: tuple[str, ...] = ()
READY_LINE = "Tunnel configured successfully"

# It reads its files as root and becomes another user then, whom the container's first process must be able to end.
CAPABILITIES = ("KILL", "SETGID", "SETUID")


def component(site: Site) -> Component:
    """The client with its key and configuration.

    Raises:
        ValueError: The site has supplied none.
    """
    supplied = site.supplied
    if not supplied.zenith_client_key or not supplied.zenith_client_config:
        raise ValueError("a Zenith tunnel needs a key and a configuration")
    volume = site.instance.volume("zenith-credentials")
    key, configuration = f"{CREDENTIALS}/ssh_zenith_client_key", f"{CREDENTIALS}/zenith_client_config.yaml"
    container = Container(
        name=NAME,
        image=site.images[IMAGE],
        args=("zenith-client", "connect"),
        env={
            "ZENITH_CLIENT_CONFIG": configuration,
            "ZENITH_CLIENT__SSH_IDENTITY_PATH": key,
            "ZENITH_CLIENT__FORWARD_TO_HOST": "127.0.0.1",
            "ZENITH_CLIENT__FORWARD_TO_PORT": str(proxy.PORT),
        },
        mounts=(Mount(volume=volume, path=CREDENTIALS, read_only=True),),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        capabilities=CAPABILITIES,
        ready_line=READY_LINE,
        waits_for="the tunnel to the Zenith server",
    )
    files = (
        File(path="ssh_zenith_client_key", content=supplied.zenith_client_key, mode=0o400),
        File(path="zenith_client_config.yaml", content=supplied.zenith_client_config, mode=0o400),
    )
    seed = Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files, mode=0o500)
    return Component(container=container, seeds=(seed,))
