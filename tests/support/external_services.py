"""Services outside the pod of deployed instances, at addresses that pods can reach."""

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml
from docker.errors import APIError  # type: ignore[import-untyped]

from hubpod.client import HubClient, Session
from hubpod.components import assembly
from hubpod.components import slurm as slurm_component
from hubpod.components.jupyterhub import API_PORT
from hubpod.components.site import Site
from hubpod.deployment.status import hub_url
from hubpod.environments import Environment, Ingress, Login, Slurm, Stage
from hubpod.errors import MachineError
from hubpod.images.ensure import ImageSet
from hubpod.instances import Instance
from hubpod.podman.by_label import subnet_of
from hubpod.podman.cli import Podman
from hubpod.podman.volumes import create_seeded
from hubpod.settings.deploy_configmap import FILE_NAME
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
"""The network of every pod of `podman kube play`."""

ADDRESSES = range(200, 250)  # far from the addresses that podman assigns to pods first
TAKEN = "already allocated"
"""Part of podman's error for an address that another container of the network has."""

EVERYTHING = Environment(
    name="dev_realauth_zenithclient",
    stage=Stage.DEV,
    login=Login.JWT,
    slurm=Slurm.EXTERNAL,
    ingress=Ingress.ZENITH,
)


@dataclass(frozen=True, kw_only=True)
class ExternalServices:
    """An issuer, a Slurm host and a Zenith server.

    Attributes:
        site: The site that they are derived from.
        addresses: Address of each service, by its name.
        issuer: The issuer's control client.
        tunnel_port: Port of this machine for the Zenith server's front end.
        hub_api: Address and port of this machine where the hub API is published.
        podman: The podman that the services run on.
        password: Password of the login form.
    """

    site: Site
    addresses: dict[str, str]
    issuer: Issuer
    tunnel_port: int
    hub_api: tuple[str, int]
    podman: Podman
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def log_in(self, running: RunningInstance, user: str) -> Session:
        """Log in by the environment's login, through the tunnel if it has one."""
        client = HubClient(self.url(running))
        if running.instance.environment.login is Login.JWT:
            return client.login_with_token(self.issuer.mint(user))
        return client.login(user, self.password)

    def write_deploy_directory(self, directory: Path, environment: Environment) -> Path:
        """Write a deploy directory with exactly the settings and files that an environment reads."""
        directory.mkdir(mode=0o700)
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
        rows = assembly.settings()
        used = {each.key for each in rows if each.applies_to(environment) and each.fixed_value(environment) is None}
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
            (directory / name).write_bytes(content)
            (directory / name).chmod(0o600)
        return directory

    def options(self, environment: Environment) -> tuple[str, ...]:
        """Return the options of `up` that an environment needs here."""
        publish = "--publish={}:{}:{}".format(*self.hub_api, API_PORT)
        return (
            *((publish,) if environment.slurm is Slurm.EXTERNAL else ()),
            *(("--zenith-image=stand-in",) if environment.ingress is Ingress.ZENITH else ()),
        )

    def url(self, running: RunningInstance) -> str:
        """Return the public URL of an instance's hub."""
        if running.instance.environment.ingress is Ingress.ZENITH:
            return hub_url(self.tunnel_port, "/jupyter")
        return str(running.status["url"])


@contextmanager
def open_external_services(run: Run, built: ImageSet, directory: Path) -> Iterator[ExternalServices]:
    """Start the services in the network of deployed pods, and remove them after the block."""
    podman, network = run.podman, kube_network(run.podman)
    instance = Instance(environment=EVERYTHING, name=f"t-{run.name}-{secrets.token_hex(2)}")
    keys = HarnessSecrets()
    order = StackRequest(
        environment=EVERYTHING,
        images=tuple(built.images.items()),
        sources=tuple(built.sources.items()),
        volumes=Path(__file__).parents[2] / "volumes",
    )
    site = create_site(order, instance, directory, keys)
    with ExitStack() as cleanup:
        addresses = {}
        for service in external_services(site, control_token=keys.control):
            addresses[service.container.name] = cleanup.enter_context(open_service(run, site, network, service))
        states = podman.containers(site.instance.labels)
        port = states[f"{instance.resource}-{ISSUER}"].ports[CONTROL_PORT][1]
        issuer = Issuer(f"http://127.0.0.1:{port}", keys.control, url=f"http://{addresses[ISSUER]}:9000/realms/test")
        issuer.wait_until_up()
        yield ExternalServices(
            site=site,
            addresses=addresses,
            issuer=issuer,
            tunnel_port=states[f"{instance.resource}-{ZENITH_SERVER}"].ports[zenith.RELAY_PORT][1],
            hub_api=(own_address(), free_port()),
            podman=podman,
        )


def kube_network(podman: Podman) -> Network:
    """Return the network of deployed pods, creating it if it is missing."""
    if not podman.run("network", "exists", KUBE_NETWORK, check=False).ok:
        podman.run("network", "create", KUBE_NETWORK)  # as the first `podman kube play` does
    return Network(name=KUBE_NETWORK, subnet=subnet_of(podman, KUBE_NETWORK))


@contextmanager
def open_service(
    run: Run, site: Site, network: Network, service: ExternalService, *, writable: bool = False
) -> Iterator[str]:
    """Start one service, yield its address, and remove it after the block."""
    labels, name = {**site.instance.labels, **run.labels}, f"{site.instance.resource}-{service.container.name}"
    with ExitStack() as cleanup:
        for seed in service.seeds:
            cleanup.callback(run.podman.remove_volumes, [seed.volume])
            create_seeded(run.podman, seed, labels)

        def start(number: int) -> None:
            container = create_in_network(
                service.container,
                name=name,
                labels=labels,
                client=run.client,
                network=network,
                number=number,
                hosts={},
                writable=writable,
            )
            container.start()

        remove = partial(run.podman.run, "rm", "--force", "--ignore", "--volumes", name)
        cleanup.callback(remove)  # once, also if the first addresses are taken
        number = start_at_free_number(start, remove)
        yield network.address(number)


def start_at_free_number(start: Callable[[int], None], remove: Callable[[], object]) -> int:
    """Start a container at an address that no other container of the network has; return the address's number.

    Only podman knows the free addresses: other test runs and pods share the network, and start at the same time.

    Args:
        start: Creates and starts the container at an address.
        remove: Removes the created container of a failed start.
    """
    for number in secrets.SystemRandom().sample(ADDRESSES, k=len(ADDRESSES)):
        try:
            start(number)
        except APIError as error:
            if TAKEN not in str(error):
                raise
            remove()
        else:
            return number
    raise MachineError(f"no address of {KUBE_NETWORK} is free", remedy="end other test runs")


def own_address() -> str:
    """Return this machine's address in its network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))  # sends nothing; the kernel selects the source address
        return str(probe.getsockname()[0])


def free_port() -> int:
    """Return a free port of that address."""
    with socket.socket() as probe:
        probe.bind((own_address(), 0))
        return int(probe.getsockname()[1])
