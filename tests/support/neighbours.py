"""What deployed instances meet outside their pod, at addresses that pods and this machine can reach."""

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hubpod.client import HubClient, Session
from hubpod.components import slurm as slurm_component
from hubpod.components.jupyterhub import API_PORT
from hubpod.components.site import Site
from hubpod.deployment.status import hub_url
from hubpod.environments import Environment, Ingress, Instance, Login, Slurm, Stage
from hubpod.images.ensure import ImageSet
from hubpod.podman.by_label import subnet_of
from hubpod.podman.cli import Podman
from hubpod.podman.volumes import add_files, create
from hubpod.settings.deploy_configmap import FILE_NAME, SETTINGS
from hubpod_harness import zenith
from hubpod_harness.blueprint import AUDIENCE, PLATFORM, HarnessSecrets
from hubpod_harness.containers import Network, create_in_network
from hubpod_harness.external_services import (
    ACCOUNTS,
    CONTROL_PORT,
    ISSUER,
    SLURM_HOST,
    ZENITH_SERVER,
    ExternalService,
    external_services,
)
from hubpod_harness.issuer import Issuer
from hubpod_harness.session_run import Run
from hubpod_harness.stack_launcher import StackRequest, create_site
from support.instances import RunningInstance

KUBE_NETWORK = "podman-default-kube-network"
"""Where `podman kube play` puts every pod."""

FIRST_ADDRESS = 200  # far from those that podman gives away by itself
EVERYTHING = Environment(
    name="dev_realauth_zenithclient",
    stage=Stage.DEV,
    login=Login.JWT,
    slurm=Slurm.EXTERNAL,
    ingress=Ingress.ZENITH,
)


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """An issuer, a Slurm host and a Zenith server.

    Attributes:
        site: What they derive from.
        addresses: Of each, by name.
        issuer: The issuer, to be told what to do.
        tunnel_port: Where this machine reaches the Zenith server's front door.
        hub_api: Address and port of this machine, for the hub's API.
        podman: The podman that they run on.
        password: Of the login form, where there is one.
    """

    site: Site
    addresses: dict[str, str]
    issuer: Issuer
    tunnel_port: int
    hub_api: tuple[str, int]
    podman: Podman
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def log_in(self, running: RunningInstance, user: str) -> Session:
        """Log in as a person does: with the form, or with a token in the header, through the tunnel if there is one."""
        client = HubClient(self.url(running))
        if running.instance.environment.login is Login.JWT:
            return client.login_with_token(self.issuer.mint(user))
        return client.login(user, self.password)

    def write_deploy_directory(self, folder: Path, environment: Environment) -> Path:
        """Write what a site would write for an environment, with nothing that it does not read."""
        folder.mkdir(mode=0o700)
        slurm = self.addresses[SLURM_HOST]
        values = {
            "logLevel": "DEBUG",
            "devUsers": " ".join(map(str, ACCOUNTS)),
            "dummyAuthPassword": self.password,
            "sshHostname": slurm,
            "slurmSpawnerWrappersBin": "/opt/jupyter/slurmspawner_wrappers/bin",
            "condaPrefixDir": "/opt/jupyter/miniforge3",
            "jupyterDataDir": "/opt/jupyter/jupyter_data",
            "hubConnectUrl": "http://{}:{}".format(*self.hub_api),
            "oidcServer": self.issuer.url,
            "bricsPlatform": PLATFORM,
            "jwtAudience": AUDIENCE,
        }
        used = {each.key for each in SETTINGS if each.applies_to(environment) and each.fixed_value(environment) is None}
        data = {key: value for key, value in values.items() if key in used}
        document = {"apiVersion": "core/v1", "kind": "ConfigMap", "metadata": {"name": "deploy-config"}, "data": data}
        files = {FILE_NAME: yaml.safe_dump({**document, "immutable": True}).encode()}
        if environment.slurm is Slurm.EXTERNAL:
            files["ssh_client_key"] = self.site.credentials[slurm_component.CLIENT_KEY]
            files["ssh_known_hosts"] = slurm_component.known_hosts(self.site.credentials, slurm)
        if environment.ingress is Ingress.ZENITH:
            server = {"serverAddress": self.addresses[ZENITH_SERVER], "serverPort": zenith.SSH_PORT}
            files["ssh_zenith_client_key"] = self.site.credentials[slurm_component.CLIENT_KEY]
            files["zenith_client_config.yaml"] = json.dumps(server).encode()
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        return folder

    def options(self, environment: Environment) -> tuple[str, ...]:
        """The options of `up` that an environment needs here."""
        publish = "--publish={}:{}:{}".format(*self.hub_api, API_PORT)
        return (
            *((publish,) if environment.slurm is Slurm.EXTERNAL else ()),
            *(("--zenith-image=stand-in",) if environment.ingress is Ingress.ZENITH else ()),
        )

    def url(self, running: RunningInstance) -> str:
        """Where people reach the hub of an instance."""
        if running.instance.environment.ingress is Ingress.ZENITH:
            return hub_url(self.tunnel_port, "/jupyter")
        return str(running.status["url"])


@contextmanager
def started(run: Run, built: ImageSet, folder: Path) -> Iterator[Neighbours]:
    """Start all three in the network of deployed pods."""
    podman, network = run.podman, kube_network(run.podman)
    instance = Instance(environment=EVERYTHING, name=f"t-{run.name}-{secrets.token_hex(2)}")
    keys = HarnessSecrets()
    order = StackRequest(
        environment=EVERYTHING,
        images=tuple(built.images.items()),
        sources=tuple(built.sources.items()),
        volumes=Path(__file__).parents[2] / "volumes",
    )
    site = create_site(order, instance, folder, keys)
    with ExitStack() as cleanup:
        addresses = {}
        for number, neighbour in enumerate(external_services(site, control_token=keys.control), FIRST_ADDRESS):
            cleanup.enter_context(one_started(run, site, network, neighbour, number))
            addresses[neighbour.container.name] = network.address(number)
        states = podman.containers(site.instance.labels)
        port = states[f"{instance.resource}-{ISSUER}"].ports[CONTROL_PORT][1]
        issuer = Issuer(f"http://127.0.0.1:{port}", keys.control, url=f"http://{addresses[ISSUER]}:9000/realms/test")
        issuer.wait_until_up()
        yield Neighbours(
            site=site,
            addresses=addresses,
            issuer=issuer,
            tunnel_port=states[f"{instance.resource}-{ZENITH_SERVER}"].ports[zenith.RELAY_PORT][1],
            hub_api=(own_address(), free_port()),
            podman=podman,
        )


def kube_network(podman: Podman) -> Network:
    """The network of deployed pods."""
    if not podman.run("network", "exists", KUBE_NETWORK, check=False).ok:
        podman.run("network", "create", KUBE_NETWORK)  # as podman's own first `kube play` does
    return Network(name=KUBE_NETWORK, subnet=subnet_of(podman, KUBE_NETWORK))


@contextmanager
def one_started(  # noqa: PLR0913 - what it is, and where it lives
    run: Run, site: Site, network: Network, neighbour: ExternalService, number: int, *, writable: bool = False
) -> Iterator[None]:
    """Start one neighbour; it leaves nothing."""
    labels = {**site.instance.labels, **run.labels}
    with ExitStack() as cleanup:
        for seed in neighbour.seeds:
            cleanup.callback(run.podman.remove_volumes, [seed.volume])
            create(run.podman, {seed.volume: labels})
            add_files(run.podman, seed.volume, seed.tar())
        container = create_in_network(
            neighbour.container,
            name=f"{site.instance.resource}-{neighbour.container.name}",
            labels=labels,
            client=run.client,
            network=network,
            number=number,
            hosts=neighbour.hosts,
            aliases=tuple(neighbour.hosts),
            writable=writable,
        )
        cleanup.callback(container.stop)
        container.start()
        yield


def own_address() -> str:
    """The address at which others reach this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))  # sends nothing; the kernel chooses the address that it would send from
        return str(probe.getsockname()[0])


def free_port() -> int:
    """A port of that address that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((own_address(), 0))
        return int(probe.getsockname()[1])
