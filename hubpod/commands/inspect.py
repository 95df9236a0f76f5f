"""What is done with an instance that runs: its logs, commands in its containers."""

import sys
from collections.abc import Mapping, Sequence

from hubpod.context import Context
from hubpod.deployment.status import State, Status, status
from hubpod.environments import Instance, nearest
from hubpod.errors import NotRunningError, UsageError
from hubpod.podman.answers import ContainerState


def require_running(context: Context, instance: Instance) -> Status:
    """The status of an instance whose containers run.

    Raises:
        NotRunningError: It is down.
    """
    now = status(context.podman, instance)
    if now.state is State.DOWN:
        raise _not_running(instance, now.state.value)
    return now


def require_up(context: Context, instance: Instance) -> dict[str, ContainerState]:
    """The containers of an instance's pod, whose work is not looked at.

    Raises:
        NotRunningError: None of them runs.
    """
    states = context.podman.containers(instance.labels)
    if not any(state.state == "running" for state in states.values()):
        raise _not_running(instance, State.DOWN.value)
    return states


def _not_running(instance: Instance, state: str) -> NotRunningError:
    command = f"invoke {instance.environment.stage.commands}.up -e {instance.environment.name} -i {instance.name}"
    return NotRunningError(
        f"{instance.environment.name}, instance {instance.name}, is {state}", remedy=f"bring it up with `{command}`"
    )


def logs(context: Context, instance: Instance, container: str | None, tail: str | None, *, follow: bool) -> int:
    """Show what the containers wrote, on this terminal; the status is podman's.

    Raises:
        NotRunningError: There is no such pod.
        UsageError: It has no such container.
    """
    names = _containers(context, instance)
    chosen = [_podman_name(instance, container, names)] if container else list(names.values())
    options = [*(["--follow"] if follow else []), *([f"--tail={tail}"] if tail else [])]
    return context.podman.attach("logs", *options, *(["--names"] if len(chosen) > 1 else []), *chosen)


def execute(context: Context, instance: Instance, container: str, argv: Sequence[str]) -> int:
    """Run a command in a container, on this terminal; the status is the command's.

    Raises:
        NotRunningError: There is no such pod.
        UsageError: It has no such container.
    """
    name = _podman_name(instance, container, _containers(context, instance))
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    return context.podman.attach("exec", "--interactive", *terminal, name, *argv)


def _containers(context: Context, instance: Instance) -> dict[str, str]:
    """The names that podman has for the instance's containers, by ours."""
    names = context.podman.containers(instance.labels)
    if not names:
        raise _not_running(instance, "down")
    return {name.removeprefix(f"{instance.resource}-"): name for name in names}


def _podman_name(instance: Instance, container: str, names: Mapping[str, str]) -> str:
    if container in names:
        return names[container]
    raise UsageError(
        f"{instance.environment.name} has no container {container!r}{nearest(container, names)}",
        remedy="containers: " + ", ".join(names),
    )
