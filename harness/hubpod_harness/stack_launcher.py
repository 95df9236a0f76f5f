"""Start a stack: network and volumes, then containers, then a wait for readiness.

A stack is ready when the hub can spawn a notebook.
"""

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
from hubpod.environments import Environment
from hubpod.errors import NotReadyError
from hubpod.instances import Instance
from hubpod.labels import LABEL_KEPT
from hubpod.pod import Container
from hubpod.podman.by_label import create_network, remove_network
from hubpod.podman.volumes import create_seeded
from hubpod.settings import credentials
from hubpod.settings import deploy_configmap as settings
from hubpod.system.private_files import private_directory, write_private
from hubpod_harness.blueprint import HUB, LINK, Blueprint, HarnessSecrets, blueprint, deploy_configmap, key_files
from hubpod_harness.containers import FIRST_EXTERNAL, LINK_ADDRESS, Network, create_beside, create_in_network
from hubpod_harness.issuer import SigningKeys
from hubpod_harness.session_run import Run
from hubpod_harness.stack import Stack, connect_stack


@dataclass(frozen=True, kw_only=True)
class StackRequest:
    """The properties of a requested stack. Equal requests share one stack.

    Attributes:
        environment: The environment of the stack.
        images: Image references, by name of the directory below containers/.
        sources: Code that is mounted from a volume, by name of the source.
        volumes: The directory with the content of the seeds, ``volumes/``.
        config: JupyterHub configuration that is loaded last.
        changes: Values of the deploy ConfigMap that replace the harness's own, by key.
    """

    environment: Environment
    images: tuple[tuple[str, str], ...]
    volumes: Path
    config: str = ""
    changes: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, MountedSource], ...] = ()


def create_site(request: StackRequest, instance: Instance, directory: Path, keys: HarnessSecrets) -> Site:
    """Write a site's deploy ConfigMap and credentials to a private directory, and return the site.

    Raises:
        SettingsError: A changed value is invalid.
    """
    data = deploy_configmap(request.environment, keys, dict(request.changes))
    path = private_directory(directory) / settings.FILE_NAME
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deploy-config"}, "data": data}
    write_private(path, yaml.safe_dump(document).encode())
    loaded = settings.load(path, request.environment, assembly.settings())
    keyring = credentials.load_or_create(directory / "credentials", assembly.credentials())
    return Site(
        instance=instance,
        settings=loaded,
        credentials=keyring,
        images=dict(request.images),
        sources=dict(request.sources),
        volumes=request.volumes,
        port=0,
        key_files=key_files(request.environment, keyring, loaded.ssh_hostname),
    )


@contextmanager
def launch_stack(run: Run, request: StackRequest, *, keep: bool = False) -> Iterator[Stack]:
    """Start a stack, wait until it is ready, and remove it after the block.

    Resources are removed in reverse order. A kept stack is not removed.

    Raises:
        NotReadyError: It does not become ready; carries the last log lines of the responsible container.
        CommandError: A podman command failed.
    """
    # The run's name is part of the instance's, so that the reaper finds resources that have no labels yet.
    # A kept stack has another name, because the reaper would remove it.
    of = "kept" if keep else f"t-{run.name}"
    instance = Instance(environment=request.environment, name=f"{of}-{secrets.token_hex(2)}")
    keys = HarnessSecrets()
    site = create_site(request, instance, run.directory / instance.name, keys)
    plan = blueprint(site, keys, config=request.config)
    labels = kept_labels(site) if keep else run.labels
    with ExitStack() as cleanup:
        launch = StackLauncher(run=run, site=site, plan=plan, keys=keys, labels=labels, cleanup=cleanup)
        try:
            yield launch.start()
        finally:
            if keep:  # also when it is not ready, because the developer wants to inspect it
                cleanup.pop_all()


def kept_labels(site: Site) -> dict[str, str]:
    """Return the label of a stack that outlives its run, by which `--hubpod-clean` finds it."""
    return {LABEL_KEPT: str(site.volumes.parent)}


class StackLauncher:
    """One start of a stack, phase by phase. Its resources end with ``cleanup``."""

    def __init__(  # noqa: PLR0913 - what a stack is created of
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
        """Run all phases, and return the stack."""
        with self._measure("network and volumes"):
            network = self._network()
        with self._measure("network's owner"):
            self._starter(self._in_network(self._plan.link, network, LINK_ADDRESS, f"{self._name}-{LINK}"))()
        with self._measure("other containers"):
            outside, inside = self._hosts(network), self._hub_containers()
            if self._site.instance.environment.ingress.uses_zenith:
                # A Zenith client whose server is not up ends, and waits before it reconnects.
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
        with self._measure("ready"):
            self._wait(stack)
        stack.timings.update(self._timings)
        return stack

    def _network(self) -> Network:
        """Create the network and seed the volumes, concurrently."""
        podman = self._run.podman
        subnets: list[str] = []
        self._cleanup.callback(remove_network, podman, self._name)
        self._cleanup.callback(podman.remove_volumes, [seed.volume for seed in self._plan.seeds])
        jobs: list[Callable[[], None]] = [
            lambda: subnets.append(create_network(podman, self._name, self._labels)),
            *(partial(create_seeded, podman, seed, self._labels) for seed in self._plan.seeds),
        ]
        side_by_side(jobs)
        return Network(name=self._name, subnet=subnets[0])

    def _host_names(self, network: Network) -> dict[str, str]:
        """Return the addresses of the stack's hosts by host name.

        A host has three names: its host name, its container's name, and the latter with the suffix `-host`.
        """
        names = dict.fromkeys((HUB, self._plan.hub_pod.name), network.address(LINK_ADDRESS))
        for number, (hostname, container) in enumerate(self._plan.hosts.items(), FIRST_EXTERNAL):
            known_as = (hostname, container.name, f"{container.name}-host")
            names |= dict.fromkeys(known_as, network.address(number))
        return names

    def _hosts(self, network: Network) -> list[DockerContainer]:
        """Return the external services, and the containers of other pods than the hub's."""
        return [
            self._in_network(container, network, number, hostname)
            for number, (hostname, container) in enumerate(self._plan.hosts.items(), FIRST_EXTERNAL)
        ]

    def _hub_containers(self) -> list[DockerContainer]:
        """Return the containers of the hub's pod, in the network of the link."""
        return [
            create_beside(
                container,
                name=self._plan.podman_name(container.name),
                labels=self._labels,
                client=self._run.client,
                other=f"{self._name}-{LINK}",
            )
            for container in self._plan.hub_pod.containers
        ]

    def _in_network(self, container: Container, network: Network, number: int, hostname: str) -> DockerContainer:
        """Return a container with its own address, which resolves the names of the others."""
        return create_in_network(
            container,
            name=self._plan.podman_name(container.name),
            hostname=hostname,
            labels=self._labels,
            client=self._run.client,
            network=network,
            number=number,
            hosts=self._host_names(network),
            # The packet filter that disturbs links supports IPv4 only, and newer podmans also resolve localhost to ::1.
            ipv4_only=container.name == LINK,
        )

    def _starter(self, container: DockerContainer) -> Callable[[], None]:
        def start() -> None:
            self._cleanup.callback(container.stop)  # registered first, because the start may fail halfway
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
                remedy="fix the cause; --hubpod-keep leaves the stack running for inspection",
            ) from error

    @contextmanager
    def _measure(self, phase: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._timings[phase] = round(time.monotonic() - start, 3)
