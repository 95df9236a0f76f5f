"""What runs: worked out from podman's labels alone."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from hubpod.components import proxy
from hubpod.components.assembly import ComponentModule, modules
from hubpod.components.site import Site
from hubpod.deployment.readiness import ask_container, ask_hub, ask_log
from hubpod.environments import Instance
from hubpod.labels import LABEL_BASE_URL, LABEL_DEPLOY_DIR
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.podman.machine import version_text
from hubpod.system.polling import CheckResult

STARTING_S = 60.0
"""A container that is younger and not ready counts as starting, an older one as broken."""


class State(Enum):
    """The state of an instance as a whole."""

    READY = "ready"
    STARTING = "starting"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class ContainerStatus:
    """One container: podman's state, whether it does its work, and since when it runs."""

    name: str
    image: str
    state: str
    ready: bool
    started: datetime | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Status:
    """One instance, as ``dev.status`` shows it.

    Attributes:
        environment: Its name.
        instance: Its name.
        state: As a whole.
        url: Where a browser finds it; empty when nothing is published.
        ports: Published ports on the host, as host port to container port.
        containers: Each of them.
        volumes: Names.
        deploy_dir: Folder of the deploy ConfigMap; empty when the instance is down and has no volumes.
        podman: Version.
    """

    environment: str
    instance: str
    state: State
    url: str
    ports: Mapping[int, int]
    containers: tuple[ContainerStatus, ...]
    volumes: tuple[str, ...]
    deploy_dir: str
    podman: str

    def as_dict(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
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
            "volumes": list(self.volumes),
            "deploy_dir": self.deploy_dir,
            "podman": self.podman,
        }


def hub_url(port: int, base_url: str) -> str:
    """Where a browser on this machine finds the hub."""
    return f"http://127.0.0.1:{port}{base_url.rstrip('/')}"


def published_url(site: Site) -> str:
    """Where a browser on this machine finds a site's hub; empty where a tunnel is the way in."""
    return hub_url(site.port, site.settings.base_url) if site.port else ""


def status(podman: Podman, instance: Instance, *, waited: bool = False) -> Status:
    """Look at an instance, and ask each container that runs whether it does its work.

    Args:
        podman: podman.
        instance: Which one.
        waited: One has just waited until all of them do; they are not asked again.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        others = pool.submit(podman.volumes, instance.labels)
        states = podman.containers(instance.labels)
    volumes = others.result()
    label = {name: value for volume in volumes.values() for name, value in volume.labels.items()}
    ports = {host: inside for state in states.values() for inside, (_, host) in state.ports.items()}
    published = next((host for host, inside in ports.items() if inside == proxy.PORT), None)
    url = hub_url(published, label.get(LABEL_BASE_URL, "")) if published else ""
    ask = (lambda _: CheckResult(ready=True)) if waited else _asker(podman, instance, url)
    with ThreadPoolExecutor(max_workers=max(1, len(states))) as pool:
        containers = tuple(pool.map(lambda state: _look(instance, state, ask), states.values()))
    return Status(
        environment=instance.environment.name,
        instance=instance.name,
        state=_overall(containers, len(modules(instance.environment))),
        url=url,
        ports=ports,
        containers=containers,
        volumes=tuple(sorted(volumes)),
        deploy_dir=label.get(LABEL_DEPLOY_DIR, ""),
        podman=version_text(podman.version),
    )


def _look(instance: Instance, state: ContainerState, ask: Callable[[ContainerState], CheckResult]) -> ContainerStatus:
    answer = ask(state) if state.state == "running" else CheckResult(ready=False)
    return ContainerStatus(
        name=state.name.removeprefix(f"{instance.resource}-"),
        image=state.image,
        state=state.state,
        ready=answer.ready,
        started=datetime.fromtimestamp(state.started, tz=UTC) if state.started else None,
        reason=answer.reason,
    )


def _asker(podman: Podman, instance: Instance, url: str) -> Callable[[ContainerState], CheckResult]:
    known = {f"{instance.resource}-{module.NAME}": module for module in modules(instance.environment)}

    def ask(state: ContainerState) -> CheckResult:
        if state.name not in known:
            return CheckResult(ready=False)
        answer = _ask(podman, instance, state.name, known[state.name])
        return ask_hub(url) if answer.ready and known[state.name].NAME == proxy.NAME and url else answer

    return ask


def _ask(podman: Podman, instance: Instance, name: str, module: ComponentModule) -> CheckResult:
    if module.READY:
        return ask_container(podman, name, module.READY)
    return ask_log(podman, instance.labels, name, module.READY_LINE)


def _overall(containers: tuple[ContainerStatus, ...], expected: int) -> State:
    running = [container for container in containers if container.state == "running"]
    if not running:
        return State.DOWN
    if len(running) == expected and all(container.ready for container in containers):
        return State.READY
    now = datetime.now(tz=UTC)
    young = all(container.started and (now - container.started).total_seconds() < STARTING_S for container in running)
    return State.STARTING if young else State.DEGRADED
