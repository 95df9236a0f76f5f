"""What commands on a running instance share, and `exec`: run a command in a container."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hubpod.components import assembly
from hubpod.context import Context, Unknown
from hubpod.deployment.status import State, Status, read_status
from hubpod.errors import NotRunningError, UsageError, nearest
from hubpod.instances import Instance
from hubpod.podman.answers import ContainerState
from hubpod.podman.snapshot import Snapshot
from hubpod.settings import FILE_NAME
from hubpod.settings.deploy_configmap import Settings, load

RUNNING = "running"


def status(context: Context, instance: Instance) -> Status:
    """Return the status of an instance of this checkout.

    Raises:
        UsageError: The instance belongs to another checkout, or does not exist.
    """
    return read_status(context.podman, instance, context.find(instance, Unknown.REFUSE))


def require_running(context: Context, instance: Instance) -> Status:
    """Return the status of an instance whose containers run.

    Raises:
        NotRunningError: The instance is down.
    """
    now = read_status(context.podman, instance, context.find(instance, Unknown.REFUSE_SIMILAR))
    if now.state is State.DOWN:
        raise _not_running(instance)
    return now


def read_settings(instance: Instance, now: Status) -> Settings:
    """Read the deploy ConfigMap that an instance was brought up with.

    Raises:
        SettingsError: The file is missing or wrong.
    """
    return load(Path(now.deploy_dir) / FILE_NAME, instance.environment, assembly.settings())


def require_up(instance: Instance, found: Snapshot) -> None:
    """Check that at least one container of an instance runs.

    Raises:
        NotRunningError: None of the containers runs.
    """
    if not found.running:
        raise _not_running(instance)


def _not_running(instance: Instance) -> NotRunningError:
    return NotRunningError(f"{instance}, is down", remedy=f"bring it up with `{instance.command('up')}`")


def find_containers(context: Context, instance: Instance, container: str | None) -> dict[str, ContainerState]:
    """Return one container of an instance or all, by their names in the pod.

    Raises:
        NotRunningError: The instance has no pod.
        UsageError: The pod has no such container.
    """
    found = _containers(context, instance)
    if container is None:
        return found
    _podman_name(instance, container, found)
    return {container: found[container]}


def execute(context: Context, instance: Instance, container: str, argv: Sequence[str]) -> int:
    """Run a command in a container on this terminal, and return the command's exit status.

    Raises:
        NotRunningError: The instance has no pod, or the container does not run.
        UsageError: The pod has no such container.
    """
    containers = _containers(context, instance)
    name = _podman_name(instance, container, containers)
    if containers[container].state != RUNNING:
        raise NotRunningError(
            f"the container {container} of {instance}, is {containers[container].state}",
            remedy=f"`{instance.command('up')}` starts it, and `{instance.command('logs', '-c', container)}` shows why",
        )
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    return context.podman.attach("exec", "--interactive", *terminal, name, *argv)


def _containers(context: Context, instance: Instance) -> dict[str, ContainerState]:
    """Return the instance's containers by their names in the pod."""
    found = context.find(instance, Unknown.REFUSE_SIMILAR).containers
    if not found:
        raise _not_running(instance)
    return {assembly.short_name(instance, name): state for name, state in found.items()}


def _podman_name(instance: Instance, container: str, names: Mapping[str, ContainerState]) -> str:
    if container in names:
        return names[container].name
    raise UsageError(
        f"{instance.environment.name} has no container {container!r}{nearest(container, names)}",
        remedy="containers: " + ", ".join(names),
    )
