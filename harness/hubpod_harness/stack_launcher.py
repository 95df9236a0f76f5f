"""Starting a stack: network and volumes, then the containers, then the wait until a notebook could be spawned."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml
from testcontainers.core.container import DockerContainer

from hubpod.components import assembly
from hubpod.components.site import MountedSource, Site
from hubpod.context import side_by_side
from hubpod.environments import Environment, Instance
from hubpod.errors import NotReadyError
from hubpod.labels import LABEL_KEPT
from hubpod.pod import Container
from hubpod.podman.by_label import create_network, remove_network
from hubpod.podman.volumes import add_files, create
from hubpod.settings import credentials
from hubpod.settings import deploy_configmap as settings
from hubpod.system.private_files import private_directory, write_private
from hubpod_harness.blueprint import HUB, LINK, Blueprint, HarnessSecrets, blueprint, deploy_configmap, key_files
from hubpod_harness.containers import FIRST_OUTSIDE, LINK_ADDRESS, Network, beside, create_in_network
from hubpod_harness.issuer import SigningKeys
from hubpod_harness.session_run import Run
from hubpod_harness.stack import Stack, connect_stack


@dataclass(frozen=True, kw_only=True)
class StackRequest:
    """What kind of stack a test wants.

    Attributes:
        environment: How hub, login and Slurm are arranged.
        images: Names of folders below containers/, each with its image reference.
        sources: Names of sources, each with the code that comes in a volume.
        volumes: The folder with the seeds' content, ``volumes/``.
        config: JupyterHub configuration that is loaded after all other.
        changes: Values of the deploy ConfigMap other than the harness's own, by key.
    """

    environment: Environment
    images: tuple[tuple[str, str], ...]
    volumes: Path
    config: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, MountedSource], ...] = ()


def create_site(order: StackRequest, instance: Instance, folder: Path, keys: HarnessSecrets) -> Site:
    """All that a stack derives from, with its deploy ConfigMap and credentials written to a private folder.

    Raises:
        SettingsError: A changed value is not a valid one.
    """
    data = deploy_configmap(order.environment, keys, dict(order.changes))
    path = private_directory(folder) / settings.FILE_NAME
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-config"}, "data": data}
    write_private(path, yaml.safe_dump(document).encode())
    loaded = settings.load(path, order.environment, assembly.settings())
    keyring = credentials.load_or_create(folder / "credentials", assembly.credentials())
    return Site(
        instance=instance,
        settings=loaded,
        credentials=keyring,
        images=dict(order.images),
        sources=dict(order.sources),
        volumes=order.volumes,
        port=0,
        key_files=key_files(order.environment, keyring, loaded.ssh_hostname),
    )


@contextmanager
def launch_stack(run: Run, order: StackRequest, *, keep: bool = False) -> Iterator[Stack]:
    """A stack that is ready; it is gone when the block ends, last things first, unless it is to be kept.

    Raises:
        NotReadyError: It does not get ready; carries the last log lines of the container that is to blame.
        CommandError: podman refused something.
    """
    # The run's name in the instance's lets the reaper find what podman has not given its labels yet.
    # One that is kept has not, because the reaper would take it.
    of = "kept" if keep else f"t-{run.name}"
    instance = Instance(environment=order.environment, name=f"{of}-{secrets.token_hex(2)}")
    keys = HarnessSecrets()
    site = create_site(order, instance, run.folder / instance.name, keys)
    plan = blueprint(site, keys, config=order.config)
    labels = kept_labels(site) if keep else run.labels
    with ExitStack() as cleanup:
        launch = StackLauncher(run=run, site=site, plan=plan, keys=keys, labels=labels, cleanup=cleanup)
        try:
            yield launch.start()
        finally:
            if keep:  # also when it did not get ready: that is what somebody wants to look at
                cleanup.pop_all()


def kept_labels(site: Site) -> dict[str, str]:
    """The label of what outlives its run, by which `--hubpod-clean` finds it."""
    return {LABEL_KEPT: str(site.volumes.parent)}


class StackLauncher:
    """One start, phase by phase; what was started ends with ``cleanup``."""

    def __init__(  # noqa: PLR0913 - what a stack is made of
        self,
        *,
        run: Run,
        site: Site,
        plan: Blueprint,
        keys: HarnessSecrets,
        labels: Mapping[str, str],
        cleanup: ExitStack,
        signing: SigningKeys | None = None,
    ) -> None:
        self._run, self._site, self._plan, self._keys, self._cleanup = run, site, plan, keys, cleanup
        self._signing = signing
        self._labels = {**site.instance.labels, **labels}
        self._name = site.instance.resource
        self._timings: dict[str, float] = {}

    def start(self) -> Stack:
        """Go through all phases."""
        with self._timed("network and volumes"):
            network = self._network()
        with self._timed("network's owner"):
            names = {**self._plan.pod.host_aliases, **self._known(network)}
            self._starter(self._in_network(self._plan.link, network, LINK_ADDRESS, names))()
        with self._timed("other containers"):
            outside, inside = self._outside(network), self._inside()
            if self._site.instance.environment.ingress.uses_zenith:
                # A client whose server does not answer yet ends, and waits before it comes again.
                side_by_side([self._starter(container) for container in outside])
                outside = []
            side_by_side([self._starter(container) for container in (*inside, *outside)])
        stack = connect_stack(
            site=self._site,
            blueprint=self._plan,
            podman=self._run.podman,
            network=network,
            keys=self._keys,
            signing=self._signing,
        )
        with self._timed("ready"):
            self._wait(stack)
        stack.timings.update(self._timings)
        return stack

    def _network(self) -> Network:
        """Make the network and fill the volumes, side by side."""
        podman = self._run.podman
        subnets: list[str] = []
        self._cleanup.callback(remove_network, podman, self._name)
        self._cleanup.callback(podman.remove_volumes, [seed.volume for seed in self._plan.seeds])
        create(podman, {seed.volume: self._labels for seed in self._plan.seeds})
        jobs: list[Callable[[], None]] = [
            lambda: subnets.append(create_network(podman, self._name, self._labels)),
            *(partial(add_files, podman, seed.volume, seed.tar()) for seed in self._plan.seeds),
        ]
        side_by_side(jobs)
        return Network(name=self._name, subnet=subnets[0])

    def _known(self, network: Network) -> dict[str, str]:
        """What the stack's hosts are called: each by its container's name, and by that with `-host`."""
        names = {HUB: network.address(LINK_ADDRESS)}
        for number, each in enumerate(self._plan.external, FIRST_OUTSIDE):
            address = network.address(number)
            names |= {each.container.name: address, f"{each.container.name}-host": address}
            # What a host calls itself is where the others find it.
            names |= dict.fromkeys(each.hosts, address)
        return names

    def _outside(self, network: Network) -> list[DockerContainer]:
        known = self._known(network)
        return [
            self._in_network(each.container, network, number, {**known, **each.hosts})
            for number, each in enumerate(self._plan.external, FIRST_OUTSIDE)
        ]

    def _inside(self) -> list[DockerContainer]:
        """The pod's containers, in the network of the link."""
        return [
            beside(
                container,
                name=f"{self._name}-{container.name}",
                labels=self._labels,
                client=self._run.client,
                other=f"{self._name}-{LINK}",
            )
            for container in self._plan.pod.containers
        ]

    def _in_network(
        self, container: Container, network: Network, number: int, hosts: Mapping[str, str]
    ) -> DockerContainer:
        """A container with an address of its own, which knows the others by name, as real ones are known."""
        return create_in_network(
            container,
            name=f"{self._name}-{container.name}",
            labels=self._labels,
            client=self._run.client,
            network=network,
            number=number,
            hosts=hosts,
            # The packet filter that disturbs links knows IPv4 only, and newer podmans call ::1 localhost, too.
            ipv4_only=container.name == LINK,
        )

    def _starter(self, container: DockerContainer) -> Callable[[], None]:
        def start() -> None:
            self._cleanup.callback(container.stop)  # before the start, which may come only half the way
            container.start()

        return start

    def _wait(self, stack: Stack) -> None:
        if stack.issuer:
            stack.issuer.wait_until_up()
        try:
            stack.wait_until_ready()
        except NotReadyError as error:
            raise NotReadyError(
                error.message,
                detail=error.detail,
                remedy="correct the cause; --hubpod-keep leaves the stack to look at",
            ) from error

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._timings[phase] = round(time.monotonic() - begun, 3)
