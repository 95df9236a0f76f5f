"""Values that describe a stack: the deployed instance, external services and their link."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hubpod.components import assembly, jupyterhub, slurm
from hubpod.components.assembly import instance_spec
from hubpod.components.component import Client
from hubpod.components.site import Site
from hubpod.environments import Environment
from hubpod.pod import Container, File, PodSpec, Port, Seed
from hubpod.pods import InstanceSpec
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
    """The secrets of a stack that the deployed instance does not have.

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
        spec: The deployed instance, plus the harness's access to the hub. Its name is the stack's.
        link: The owner of the network that the containers of the hub's pod share. It can disturb their connections.
        external: The services outside the instance, each with its own address.
        browser_port: The port in the network of the hub's pod that serves browsers.
    """

    spec: InstanceSpec
    link: Container
    external: tuple[ExternalService, ...]
    browser_port: int

    @property
    def hub_pod(self) -> PodSpec:
        """Return the pod whose containers share the network of the link."""
        return next(pod for pod in self.spec.pods if pod.name == self.spec.name)

    @property
    def hosts(self) -> Mapping[str, Container]:
        """Return each container with its own address besides the link, by its host name.

        A pod other than the hub's has one container, and its host name.
        """
        others = {
            pod.name: container for pod in self.spec.pods if pod is not self.hub_pod for container in pod.containers
        }
        return {**{self.podman_name(each.container.name): each.container for each in self.external}, **others}

    @property
    def containers(self) -> tuple[Container, ...]:
        """Return all containers, the owner of the network first."""
        return (self.link, *(each.container for each in self.external), *self.spec.containers)

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """Return the initial content of every volume."""
        return (*self.spec.seeds, *(seed for each in self.external for seed in each.seeds))

    def podman_name(self, container: str) -> str:
        """Return podman's name of a container."""
        return self.spec.podman_names.get(container, f"{self.spec.name}-{container}")

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
    spec = instance_spec(site)
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
    pods = (
        replace(
            pod,
            seeds=tuple(replace(seed, files=seed.files + additions.get(seed.volume, ())) for seed in pod.seeds),
            containers=tuple(replace(each, ports=_test_ports(each)) for each in pod.containers),
        )
        for pod in spec.pods
    )
    browser_port = assembly.entrance(site.instance.environment, Client.BROWSER).port
    return Blueprint(
        spec=replace(spec, pods=tuple(pods)),
        link=_link(site, browser_port),
        external=external_services(site, control_token=keys.control),
        browser_port=browser_port,
    )


def _test_ports(container: Container) -> tuple[Port, ...]:
    """Return the published ports of a deployed container: that of its SSH server, and none of the deployment."""
    return (Port(container=ssh_surface.SSHD_PORT, host=0),) if container.name == SLURM_HOST else ()


def _link(site: Site, browser_port: int) -> Container:
    published = site.instance.environment.ingress.publishes_port
    return Container(
        name=LINK,
        image=site.images[IMAGE],
        args=ssh_surface.relay_command(slurm.ssh_address(site).host),
        ports=(
            *((Port(container=browser_port, host=site.port),) if published else ()),
            Port(container=ssh_surface.RELAY_PORT, host=0),
        ),
        tmpfs=("/run",),
        capabilities=("KILL", "NET_ADMIN", "NET_RAW", "SETGID", "SETUID"),
    )
