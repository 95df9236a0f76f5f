"""A running stack: the hub, Slurm and the services around them, for tests."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from hubpod.components import jupyterhub, proxy, slurm
from hubpod.components.site import Site
from hubpod.deployment.readiness import wait_until_ready
from hubpod.deployment.status import hub_url
from hubpod.errors import UsageError
from hubpod.podman.cli import Podman
from hubpod.system.process import Result
from hubpod_harness.blueprint import LINK, Blueprint, HarnessSecrets
from hubpod_harness.containers import FIRST_EXTERNAL, Network
from hubpod_harness.external_services import CONTROL_PORT, ISSUER, PROJECTS, SLURM_HOST, USERS
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer, SigningKeys
from hubpod_harness.link import PORTS, Link
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.ssh_surface import RELAY_PORT, SSHD_PORT, SshServer, ssh_server
from hubpod_harness.user_pool import UserPool
from hubpod_harness.users import User

PAUSE_ERRORS = ("unable to freeze",)
"""Error of runc when it fails to pause a container on a busy machine with cgroups v1, where a retry succeeds."""

EXECUTE_TIMEOUT_S = 60.0
"""Seconds after which a command in a container counts as hung, as when its network is cut."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running stack.

    Attributes:
        site: The values that it derives from.
        blueprint: Its containers and volumes.
        network: Its private network.
        hub: Its hub.
        slurm: Its Slurm, with operator rights.
        issuer: Mints tokens; None when the hub has a login form.
        pool: Its users, which tests lease.
        ssh: The SSH server of the Slurm host.
        timings: Duration of each phase of the start in seconds.
    """

    site: Site
    blueprint: Blueprint
    podman: Podman
    network: Network
    keys: HarnessSecrets
    hub: Hub
    slurm: SlurmProbe
    issuer: Issuer | None
    pool: UserPool
    ssh: SshServer
    timings: dict[str, float] = field(default_factory=dict)
    _undo: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        """Return the hub's public address."""
        return self.hub.url

    @property
    def containers(self) -> tuple[str, ...]:
        """Return the names of its containers, without the prefix of the stack."""
        return tuple(container.name for container in self.blueprint.containers)

    @property
    def secrets(self) -> Collection[str]:
        """Return every secret of this stack, including minted tokens."""
        credentials = self.site.credentials
        made = (proxy.TOKEN, jupyterhub.CRYPT_KEY, slurm.CLIENT_KEY, slurm.HOST_KEY)
        texts = [credentials[each] for each in made]
        own = (self.keys.observer, self.keys.control, self.keys.password)
        return {*own, *(text.decode().strip() for text in texts), *(self.issuer.minted if self.issuer else ())}

    # -- inspection -------------------------------------------------------------------------------------------------

    def execute(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str | None = None,
        timeout_s: float | None = EXECUTE_TIMEOUT_S,
    ) -> Result:
        """Run a command in a container, without checking the result.

        Raises:
            CommandError: The command takes longer than ``timeout_s`` seconds.
        """
        return self.podman.execute(self._name(container), argv, user=user, timeout_s=timeout_s)

    def log(self, container: str, *, since: float = 0) -> str:
        """Return a container's log, from a moment in seconds since the epoch."""
        return self.podman.log(self._name(container), since=since)

    def inspect(self, container: str) -> str:
        """Return the output of `podman inspect` for a container, as JSON."""
        return self.podman.run("inspect", self._name(container), check=False).stdout

    # -- faults -----------------------------------------------------------------------------------------------------

    def kill(self, container: str) -> None:
        """Kill a container. It stays stopped until `start`."""
        self.pool.settle()
        self._undo["container", container] = partial(self._recover, container)
        self.podman.run("kill", "--signal=KILL", self._name(container))
        self.podman.run("wait", self._name(container))

    def start(self, container: str) -> None:
        """Start a container unless it runs."""
        self.podman.run("start", self._name(container))

    def restart(self, container: str) -> None:
        """Stop a container gracefully, and start it again."""
        self.pool.settle()
        self.podman.restart(self._name(container))

    def pause(self, container: str) -> None:
        """Freeze all processes of a container."""
        self.pool.settle()
        self._undo["container", container] = partial(self._recover, container)
        self.podman.run_with_retries("pause", self._name(container), transient=PAUSE_ERRORS)

    def unpause(self, container: str) -> None:
        """Continue a paused container."""
        self.podman.run("unpause", self._name(container))

    def link(self, name: str) -> Link:
        """Return the connections with that name, to disturb them.

        Raises:
            UsageError: The name is unknown.
        """
        if name not in PORTS:
            raise UsageError(f"unknown link {name!r}", remedy="links: " + ", ".join(PORTS))
        self.pool.settle()
        outside = [each.name for each in self.blueprint.hosts.values()]
        end = {"ssh": SLURM_HOST, "issuer": ISSUER}.get(name, "")
        address = self.network.address(FIRST_EXTERNAL + outside.index(end)) if end in outside else "127.0.0.1"
        link = Link(partial(self.execute, LINK), address=address, port=PORTS[name])
        self._undo["link", name] = link.restore
        return link

    def heal(self) -> None:
        """Restore links and containers in reverse order, and wait until the stack is ready."""
        if not self._undo:
            return
        while self._undo:
            _, undo = self._undo.popitem()
            undo()
        self.wait_until_ready()

    def _recover(self, container: str) -> None:
        state = self.podman.containers(self.site.instance.labels)[self._name(container)].state
        if state == "paused":
            self.unpause(container)
        elif state != "running":
            self.start(container)

    def wait_until_ready(self) -> None:
        """Wait until the hub can spawn a notebook.

        Raises:
            NotReadyError: It cannot; carries the last log lines of the responsible container.
        """
        wait_until_ready(self.podman, self.site.instance, self.blueprint.spec, self.url, lambda _: None)

    def _name(self, container: str) -> str:
        if container not in self.containers:
            raise UsageError(
                f"the stack has no container {container!r}", remedy="containers: " + ", ".join(self.containers)
            )
        return self.blueprint.podman_name(container)


def connect_stack(  # noqa: PLR0913 - what a stack is made of
    *,
    site: Site,
    blueprint: Blueprint,
    podman: Podman,
    network: Network,
    keys: HarnessSecrets,
    signing: SigningKeys | None = None,
) -> Stack:
    """Connect to a stack's running containers: find their ports, create their clients."""
    states = podman.containers(site.instance.labels)
    external = [each.container.name for each in blueprint.external]

    def published(container: str, port: int) -> int:
        return states[blueprint.podman_name(container)].ports[port][1]

    issuer = None
    if ISSUER in external:
        issuer = Issuer(f"http://127.0.0.1:{published(ISSUER, CONTROL_PORT)}", keys.control, first=signing)

    hub = Hub(
        hub_url(published(*blueprint.entrance), site.settings.base_url),
        observer=keys.observer,
        log=partial(podman.log, blueprint.podman_name(jupyterhub.NAME)),
        issuer=issuer,
        password=keys.password,
    )
    slurm_name = blueprint.podman_name(slurm.NAME)
    execute = partial(podman.execute, slurm_name, timeout_s=EXECUTE_TIMEOUT_S)
    probe = SlurmProbe(execute, partial(podman.log, slurm_name), node=site.instance.pod(slurm.POD))
    users = [User(name=user, projects=PROJECTS) for user in USERS]
    return Stack(
        site=site,
        blueprint=blueprint,
        podman=podman,
        network=network,
        keys=keys,
        hub=hub,
        slurm=probe,
        issuer=issuer,
        pool=UserPool(users, hub=hub, slurm=probe),
        ssh=ssh_server(
            site.credentials,
            port=published(LINK, RELAY_PORT),
            outside_port=published(SLURM_HOST, SSHD_PORT),
        ),
    )
