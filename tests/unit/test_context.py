"""Instances of this checkout, of other ones, and names that do not exist."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.commands import inspect, manifest, production, prove, reload, volumes
from hubpod.commands.down import down
from hubpod.commands.logs import LogRequest, show_logs
from hubpod.context import Context
from hubpod.environments import find_environment
from hubpod.errors import NotRunningError, UsageError
from hubpod.instances import Instance
from hubpod.request import SpawnRequest, Target, UpRequest
from hubpod.workspace import Workspace
from support.deployments import OLD, Deployment, deployment

Command = Callable[[Context, Instance], object]

READING: dict[str, Command] = {
    "status": inspect.status,
    "volumes": volumes.list_volumes,
    "manifest": lambda context, instance: manifest.render(context, UpRequest(instance=instance), Target.PODMAN),
}
RUNNING: dict[str, Command] = {
    "logs": lambda context, instance: show_logs(context, instance, LogRequest(), print, follow=False),
    "exec": lambda context, instance: inspect.execute(context, instance, "slurm", ["true"]),
    "spawn": lambda context, instance: prove.spawn(
        context, SpawnRequest(instance=instance), project=None, on_step=lambda _: None
    ),
    "reload": lambda context, instance: reload.reload(context, UpRequest(instance=instance)),
}
COMMANDS: dict[str, Command] = {
    **READING,
    **RUNNING,
    "down": lambda context, instance: down(context, instance, volumes=True),
}


@pytest.fixture
def existing(tmp_path: Path) -> Deployment:
    """Bring up the instance `new1`."""
    made = deployment("dev_dummyauth", tmp_path).instance("new1")
    made.up(OLD)
    return made


def other(existing: Deployment, name: str) -> Instance:
    """Return another instance of the same environment."""
    return replace(existing.base.instance, name=name)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_mistyped_instance_gets_the_nearest_one(existing: Deployment, command: Command) -> None:
    """No command takes a typing error for an instance that is down, and nothing is written."""
    before = sorted(existing.context.workspace.state.rglob("*"))

    with pytest.raises(UsageError, match="dev_dummyauth has no instance 'nwe1'; did you mean 'new1'") as caught:
        command(existing.context, other(existing, "nwe1"))

    assert "dev.list" in caught.value.remedy
    assert sorted(existing.context.workspace.state.rglob("*")) == before


@pytest.mark.parametrize("command", READING.values(), ids=READING)
def test_an_unknown_instance_has_no_facts(existing: Deployment, command: Command) -> None:
    """What was never up is not reported as down, and no manifest of it is invented."""
    with pytest.raises(UsageError, match=r"has no instance 'something-else'$"):
        command(existing.context, other(existing, "something-else"))


@pytest.mark.parametrize("command", RUNNING.values(), ids=RUNNING)
def test_a_command_that_needs_a_running_instance_says_so(existing: Deployment, command: Command) -> None:
    """An instance that does not resemble another one may not have been brought up yet."""
    with pytest.raises(NotRunningError, match="is down"):
        command(existing.context, other(existing, "something-else"))


def test_numbered_instances_are_not_typing_errors(existing: Deployment) -> None:
    """Continuous integration numbers its instances, and removes each without a check."""
    for name in ("new2", "new10"):
        down(existing.context, other(existing, name), volumes=True)


def test_an_instance_of_another_environment_is_named(existing: Deployment) -> None:
    """The option for the environment was probably left out."""
    instance = Instance(environment=find_environment("dev_realauth"), name="new1")

    with pytest.raises(UsageError, match="dev_realauth has no instance 'new1'; dev_dummyauth has one"):
        inspect.status(existing.context, instance)


def test_an_instance_that_was_removed_is_down(existing: Deployment) -> None:
    """Its private directory remains, so that a second `down` and `status` succeed."""
    instance = existing.base.instance
    down(existing.context, instance, volumes=True)

    down(existing.context, instance, volumes=True)

    assert inspect.status(existing.context, instance).state.value == "down"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_an_instance_of_another_checkout_is_refused(existing: Deployment, tmp_path: Path, command: Command) -> None:
    """One sentence names the checkout that the instance belongs to."""
    context = replace(existing.context, workspace=Workspace(project=tmp_path / "elsewhere"))

    with pytest.raises(UsageError, match=f"new1, belongs to the checkout {tmp_path}"):
        command(context, existing.base.instance)


def test_an_exited_container_degrades_an_instance_at_once(existing: Deployment) -> None:
    """A container that has ended does not become ready, however young the others are."""
    pod = next(iter(existing.podman.pods.values()))
    pod.states[next(name for name in pod.states if name.endswith("-slurm"))] = "exited"

    assert inspect.status(existing.context, existing.base.instance).state.value == "degraded"


def test_exec_reports_a_stopped_container(existing: Deployment) -> None:
    """The error of podman would be raw, with an exit code that may come from the command as well."""
    pod = next(iter(existing.podman.pods.values()))
    pod.states.update(dict.fromkeys(pod.states, "exited"))

    with pytest.raises(NotRunningError, match="slurm of dev_dummyauth, instance new1, is exited") as caught:
        inspect.execute(existing.context, existing.base.instance, "slurm", ["true"])

    assert "dev.up" in caught.value.remedy


def test_an_upgrade_of_nothing_is_not_running(tmp_path: Path) -> None:
    """The exit code is that of an instance that is down, and the remedy brings it up."""
    made = deployment("prod", tmp_path)

    with pytest.raises(NotRunningError, match="prod, instance default, is down: there is nothing to upgrade") as caught:
        production.upgrade(made.context, UpRequest(instance=made.base.instance))

    assert caught.value.exit_code == 8
    assert "prod.up -e prod -i default" in caught.value.remedy
