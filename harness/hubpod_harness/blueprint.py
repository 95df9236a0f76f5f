"""Values that describe a stack: the deployed pod, external services and their link."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hubpod.components import assembly, jupyterhub, slurm
from hubpod.components.assembly import pod_spec
from hubpod.components.component import Client
from hubpod.components.site import Site
from hubpod.environments import Environment
from hubpod.pod import Container, File, PodSpec, Port, Seed
from hubpod.settings.credentials import Credentials
from hubpod.settings.key_files import KeyFiles
from hubpod_harness import ssh_surface, zenith
from hubpod_harness.external_services import (
    ACCOUNTS,
    IMAGE,
    SLURM_HOST,
    ZENITH_SERVER,
    ExternalService,
    external_services,
    service_names,
)

LINK = "link"
HUB = "hub"
ISSUER_URL = "http://issuer:9000/realms/test"
PLATFORM = "test.platform"
AUDIENCE = "hubpod-test"

OBSERVER = Path(__file__).parent / "configuration" / "observer.py"
OBSERVER_TOKEN = "HUBPOD_OBSERVER_TOKEN"  # noqa: S105 - the name of a variable
EXTRA_FRAGMENT = "fragments/zz_test.py"  # sorts last, so that it overrides the others


@dataclass(frozen=True, kw_only=True)
class HarnessSecrets:
    """The secrets of a stack that the deployed pod does not have.

    Attributes:
        observer: Token with which the harness queries the hub's API.
        control: Token with which the harness controls the issuer.
        password: The password of the login form.
    """

    observer: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    control: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """All containers and volumes of a stack.

    Attributes:
        pod: The deployed pod, plus the harness's access to the hub. Its name is the stack's.
        link: The owner of the network that the pod's containers share. It can disturb their connections.
        external: The services outside the pod, each with its own address.
        browser_port: The port in the pod's network that serves browsers.
    """

    pod: PodSpec
    link: Container
    external: tuple[ExternalService, ...]
    browser_port: int

    @property
    def containers(self) -> tuple[Container, ...]:
        """Return all containers, the owner of the network first."""
        return (self.link, *(each.container for each in self.external), *self.pod.containers)

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """Return the initial content of every volume."""
        return (*self.pod.seeds, *(seed for each in self.external for seed in each.seeds))

    @property
    def entrance(self) -> tuple[str, int]:
        """Return the container that publishes the hub's port, and the port's number inside it."""
        server = next((each for each in self.external if each.container.name == ZENITH_SERVER), None)
        return (ZENITH_SERVER, zenith.RELAY_PORT) if server else (LINK, self.browser_port)


def deploy_configmap(environment: Environment, keys: HarnessSecrets, changes: Mapping[str, str]) -> dict[str, str]:
    """Return the deploy ConfigMap's data, with some values replaced by the changes.

    The data has every key that the environment reads and does not fix.
    """
    values = {
        "devUsers": " ".join(map(str, ACCOUNTS)),
        "dummyAuthPassword": keys.password,
        "oidcServer": ISSUER_URL,
        "bricsPlatform": PLATFORM,
        "jwtAudience": AUDIENCE,
        "sshHostname": f"{SLURM_HOST}-host",
        "slurmSpawnerWrappersBin": "/opt/jupyter/slurmspawner_wrappers/bin",
        "condaPrefixDir": "/opt/jupyter/miniforge3",
        "jupyterDataDir": "/opt/jupyter/jupyter_data",
        "hubConnectUrl": f"http://{HUB}:{jupyterhub.API_PORT}",
    }
    rows = [each for each in assembly.settings() if each.applies_to(environment)]
    wanted = {each.key for each in rows if each.fixed_value(environment) is None}
    return {key: value for key, value in values.items() if key in wanted} | dict(changes)


def key_files(environment: Environment, credentials: Credentials, ssh_hostname: str) -> KeyFiles:
    """Return the key files that a site would supply beside its deploy ConfigMap."""
    external, tunnel = not environment.slurm.in_pod, environment.ingress.uses_zenith
    configuration = f"serverAddress: {ZENITH_SERVER}-host\nserverPort: {zenith.SSH_PORT}\n"
    return KeyFiles(
        ssh_client_key=credentials[slurm.CLIENT_KEY] if external else None,
        ssh_known_hosts=slurm.known_hosts(credentials, ssh_hostname) if external else None,
        zenith_client_key=credentials[slurm.CLIENT_KEY] if tunnel else None,
        zenith_client_config=configuration.encode() if tunnel else None,
    )


def blueprint(site: Site, keys: HarnessSecrets, *, config: str = "") -> Blueprint:
    """Return the blueprint of the stack for one site.

    Args:
        site: The values that the pod derives from.
        keys: The harness's own secrets.
        config: JupyterHub configuration that is loaded last.
    """
    pod = pod_spec(site)
    files = (
        File(path="fragments/observer.py", content=OBSERVER.read_bytes()),
        *((File(path=EXTRA_FRAGMENT, content=f"c = get_config()\n{config}\n".encode()),) if config else ()),
    )
    token = File(
        path=f"env/{OBSERVER_TOKEN}",
        content=keys.observer.encode(),
        mode=0o400,
        uid=jupyterhub.UID,
        gid=jupyterhub.UID,
    )
    additions = {
        site.instance.volume(jupyterhub.CONFIG_VOLUME): files,
        site.instance.volume(jupyterhub.CREDENTIAL_VOLUME): (token,),
    }
    pod = replace(
        pod,
        seeds=tuple(replace(seed, files=seed.files + additions.get(seed.volume, ())) for seed in pod.seeds),
        containers=tuple(replace(container, ports=()) for container in pod.containers),
    )
    browser_port = assembly.entrance(site.instance.environment, Client.BROWSER).port
    return Blueprint(
        pod=pod,
        link=_link(site, browser_port),
        external=external_services(site, control_token=keys.control),
        browser_port=browser_port,
    )


def _link(site: Site, browser_port: int) -> Container:
    published = site.instance.environment.ingress.publishes_port
    return Container(
        name=LINK,
        image=site.images[IMAGE],
        args=ssh_surface.relay_command(site.settings.ssh_hostname),
        ports=(
            *((Port(container=browser_port, host=site.port),) if published else ()),
            *(Port(container=port, host=0) for port in _ssh_ports(site)),
        ),
        tmpfs=("/run",),
        capabilities=("KILL", "NET_ADMIN", "NET_RAW", "SETGID", "SETUID"),
    )


def _ssh_ports(site: Site) -> tuple[int, ...]:
    """Return the ports in the network of the pod that lead to the SSH server of the Slurm host."""
    in_pod = SLURM_HOST not in service_names(site.instance.environment)
    return (ssh_surface.RELAY_PORT, *((ssh_surface.SSHD_PORT,) if in_pod else ()))
