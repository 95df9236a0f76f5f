"""configurable-http-proxy in a container of its own.

A restart of the hub therefore does not cut connections.
"""

from hubpod.components.component import Client, Component, ContainerSpec, Image
from hubpod.components.site import CREDENTIALS, Site
from hubpod.pod import Container, File, Mount, Port, Seed, SeedKind
from hubpod.settings import subdomains
from hubpod.settings.credentials import Credential, check_token, new_token

NAME = "proxy"
IMAGE = "jupyterhub"
READY = ("hubpod-serves",)
PORT = 8000
API_PORT = 8001
UID = 1000

TOKEN = Credential(name="proxy_token", generate=new_token, check=check_token, normalize=bytes.strip)
"""Authenticates the hub to the proxy's API."""

MAX_HEADER_BYTES = 32768
"""Enough for a token with about 70 large projects. The default of Node.js is 16 KiB."""


def login_page(base_url: str) -> str:
    """Return the URL of the login page inside the pod."""
    return f"http://127.0.0.1:{PORT}{base_url}/hub/login"


def spec(site: Site) -> ContainerSpec:
    """Describe the proxy and its token."""
    volume = site.instance.volume("proxy-credentials")
    base_url = site.settings.base_url.rstrip("/")
    host = subdomains.complete(site.settings.subdomain_host, site.port)
    published = site.instance.environment.ingress.publishes_port
    container = Container(
        name=NAME,
        image=site.images[IMAGE],
        args=(
            "configurable-http-proxy",
            # Behind a tunnel, other hosts of the network must not reach the proxy past the tunnel.
            f"--ip={'0.0.0.0' if published else '127.0.0.1'}",  # noqa: S104
            f"--port={PORT}",
            "--api-ip=127.0.0.1",
            f"--api-port={API_PORT}",
            *(("--host-routing",) if host else ()),
            "--default-target=http://127.0.0.1:8081",
            f"--error-target=http://127.0.0.1:8081{base_url}/hub/error",
        ),
        env={
            "NODE_OPTIONS": f"--max-http-header-size={MAX_HEADER_BYTES}",
            "HUBPOD_LOGIN_PAGE": login_page(base_url),
            **({"HUBPOD_SUBDOMAIN_HOST": host} if host else {}),
        },
        mounts=(Mount(volume=volume, path=CREDENTIALS, read_only=True),),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        ports=(Port(container=PORT, host=site.port),) if published else (),
        uid=UID,
        ready=READY,
        waits_for="the login page behind the proxy",
    )
    token = File(path="env/CONFIGPROXY_AUTH_TOKEN", content=site.credentials[TOKEN], mode=0o400, uid=UID, gid=UID)
    seed = Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=(token,), mode=0o500, uid=UID, gid=UID)
    return ContainerSpec(container=container, seeds=(seed,))


COMPONENT = Component(
    name=NAME,
    purpose="routes browsers to the hub and to users' servers",
    image=Image(name=IMAGE),
    spec=spec,
    credentials=(TOKEN,),
    ready=READY,
    ports={Client.BROWSER: PORT},
)
