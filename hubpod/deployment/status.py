"""The state of an instance, derived from podman's labels alone."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any

from hubpod.components.assembly import components, entrance, short_name
from hubpod.components.component import Client
from hubpod.components.site import Site
from hubpod.deployment.answers import Answer
from hubpod.deployment.container_checks import check_container, check_log, check_login_page
from hubpod.deployment.readiness import LOGIN_PAGE, gather_answers
from hubpod.instances import Instance
from hubpod.labels import LABEL_BASE_URL, LABEL_DEPLOY_DIR, LABEL_SUBDOMAIN_HOST
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.podman.machine import version_text
from hubpod.podman.snapshot import Snapshot, take_snapshot
from hubpod.settings import subdomains
from hubpod.system.polling import CheckResult

STARTING_S = 60.0
"""Age in seconds up to which a container that is not ready counts as starting. An older one counts as broken."""

ENDED = ("exited", "stopped", "dead")
"""podman's words for a container that does not become ready by itself."""


class State(Enum):
    """The state of an instance as a whole."""

    READY = "ready"
    STARTING = "starting"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class ContainerStatus:
    """One container: podman's state of it, whether it is ready, and when it was started."""

    name: str
    image: str
    state: str
    ready: bool
    started: datetime | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Status:
    """One instance, as ``dev.status`` prints it.

    Attributes:
        environment: Name of the environment.
        instance: Name of the instance.
        state: State of the instance as a whole.
        url: Address of the hub; empty if no port is published.
        ports: Published ports of the host, and the port of the container for each.
        containers: The containers.
        answers: Whether each need of a spawn is met; empty if the instance is down.
        volumes: podman's names of the volumes.
        deploy_dir: Directory of the deploy ConfigMap; empty if the instance has no volumes.
        podman: podman's version.
    """

    environment: str
    instance: str
    state: State
    url: str
    ports: Mapping[int, int]
    containers: tuple[ContainerStatus, ...]
    answers: tuple[Answer, ...]
    volumes: tuple[str, ...]
    deploy_dir: str
    podman: str

    def as_dict(self) -> dict[str, Any]:
        """Return the value that ``--json`` prints."""
        return {
            "environment": self.environment,
            "instance": self.instance,
            "state": self.state.value,
            "url": self.url,
            "ports": [{"host": host, "container": container} for host, container in self.ports.items()],
            "containers": [
                {
                    "name": container.name,
                    "image": container.image,
                    "state": container.state,
                    "ready": container.ready,
                    "started": container.started.isoformat() if container.started else None,
                }
                for container in self.containers
            ],
            "needs": [answer.as_dict() for answer in self.answers],
            "volumes": list(self.volumes),
            "deploy_dir": self.deploy_dir,
            "podman": self.podman,
        }


def hub_url(port: int, base_url: str) -> str:
    """Return the address at which a browser on this machine reaches the hub."""
    return f"http://127.0.0.1:{port}{base_url.rstrip('/')}"


def published_url(site: Site) -> str:
    """Return the address at which this machine reaches a site's hub, or nothing behind a tunnel."""
    return hub_url(site.port, site.settings.base_url) if site.port else ""


def browser_url(port: int, base_url: str, host: str) -> str:
    """Return the address of the hub that a user opens, or nothing behind a tunnel.

    Args:
        port: The published port; 0 if none is published.
        base_url: The path prefix.
        host: The setting ``subdomainHost``.
    """
    if host and port:
        return subdomains.complete(host, port) + base_url.rstrip("/")
    return hub_url(port, base_url) if port else ""


def read_status(podman: Podman, instance: Instance, found: Snapshot | None = None) -> Status:
    """Check the readiness of each running container of an instance.

    Args:
        podman: podman.
        instance: The instance.
        found: Its containers and volumes; podman is queried for them by default.
    """
    found = found or take_snapshot(podman, instance.labels)
    ports = {host: inside for state in found.containers.values() for inside, (_, host) in state.ports.items()}
    browsers = entrance(instance.environment, Client.BROWSER)
    published = next((host for host, inside in ports.items() if inside == browsers.port), None)
    base_url, host = found.volume_label(LABEL_BASE_URL), found.volume_label(LABEL_SUBDOMAIN_HOST)
    local_url = hub_url(published, base_url) if published else ""
    running = [state for state in found.containers.values() if state.state == "running"]
    checks = {short_name(instance, state.name): partial(_check, podman, instance, state) for state in running}
    if local_url and checks:
        checks[LOGIN_PAGE] = partial(check_login_page, local_url)
    with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
        results = dict(zip(checks, pool.map(lambda check: check(), checks.values()), strict=True))
    containers = tuple(_describe(instance, state, results) for state in found.containers.values())
    return Status(
        environment=instance.environment.name,
        instance=instance.name,
        state=_overall(containers, len(components(instance.environment))),
        url=browser_url(published or 0, base_url, host),
        ports=ports,
        containers=containers,
        answers=gather_answers(instance, results) if running else (),
        volumes=tuple(sorted(found.volumes)),
        deploy_dir=found.volume_label(LABEL_DEPLOY_DIR),
        podman=version_text(podman.version),
    )


def _describe(instance: Instance, state: ContainerState, results: Mapping[str, CheckResult]) -> ContainerStatus:
    """Describe a container; the entrance must also serve the login page to this machine."""
    name = short_name(instance, state.name)
    result = results.get(name, CheckResult(ready=False))
    if result.ready and name == entrance(instance.environment, Client.BROWSER).component.name:
        result = results.get(LOGIN_PAGE, result)
    return ContainerStatus(
        name=name,
        image=state.image,
        state=state.state,
        ready=result.ready,
        started=datetime.fromtimestamp(state.started, tz=UTC) if state.started else None,
        reason=result.reason,
    )


def _check(podman: Podman, instance: Instance, state: ContainerState) -> CheckResult:
    """Check a container as its component defines it."""
    name = short_name(instance, state.name)
    component = next((each for each in components(instance.environment) if name == each.name), None)
    if component is None:
        return CheckResult(ready=False)
    if component.ready:
        return check_container(podman, state.name, component.ready)
    return check_log(podman, instance.labels, state.name, component.ready_line)


def _overall(containers: tuple[ContainerStatus, ...], expected: int) -> State:
    running = [container for container in containers if container.state == "running"]
    if not running:
        return State.DOWN
    if len(running) == expected and all(container.ready for container in containers):
        return State.READY
    if any(container.state in ENDED for container in containers):
        return State.DEGRADED
    now = datetime.now(tz=UTC)
    young = all(container.started and (now - container.started).total_seconds() < STARTING_S for container in running)
    return State.STARTING if young else State.DEGRADED
