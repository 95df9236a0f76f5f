"""Homes, Slurm's state and the hub's database survive whatever ends a command."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from hubpod.commands.down import down
from hubpod.deployment import readiness, rollback
from hubpod.errors import HubpodError, MachineError
from hubpod.system.process import CommandError
from support.deployments import (
    BROKEN,
    CONTENT,
    OLD,
    POD,
    Deployment,
    Killed,
    deployment,
    disturbances,
)
from support.volume_trees import unpack

DISTURBANCES = disturbances()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes time on a podman in memory, and no file has to survive a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(readiness, "ENDED_INTERVAL_S", 0.01)
    monkeypatch.setattr(readiness, "COMMAND_INTERVAL_S", 0.01)
    monkeypatch.setattr(rollback, "STATUS_INTERVAL_S", 0.01)
    monkeypatch.setattr(rollback, "READY_TIMEOUT_S", 0.2)


def up_twice(deployed: Deployment, version: str) -> None:
    """Take the instance down, and bring it up again."""
    down(deployed.context, deployed.base.instance, volumes=False)
    deployed.up(version)


DEVELOPMENT: dict[str, tuple[str, Callable[[Deployment], None]]] = {
    "up with other content": (CONTENT, lambda deployed: deployed.up(CONTENT)),
    "up with another pod": (POD, lambda deployed: deployed.up(POD)),
    "up with a broken pod": (POD, lambda deployed: deployed.up(BROKEN)),
    "down and up": (OLD, lambda deployed: up_twice(deployed, OLD)),
}
PRODUCTION: dict[str, tuple[str, Callable[[Deployment], None]]] = {
    "upgrade of the content": (CONTENT, lambda deployed: deployed.upgrade(CONTENT)),
    "upgrade of the pod": (POD, lambda deployed: deployed.upgrade(POD)),
    "upgrade to a broken pod": (POD, lambda deployed: deployed.upgrade(BROKEN)),
}
"""Each command, and the version that a later command brings up."""


@pytest.mark.parametrize("kind", DISTURBANCES)
@pytest.mark.parametrize("command", DEVELOPMENT)
def test_data_survives_a_disturbed_command(command: str, kind: str, tmp_path: Path) -> None:
    """At whatever step `up` ends, all data is there, and the next one brings up exactly what it should."""
    version, run = DEVELOPMENT[command]
    for deployed in disturbed_at_each_step("dev_dummyauth", run, kind, tmp_path):
        deployed.up(version)
        assert deployed.runs(version)
        assert deployed.is_running(version)


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_a_disturbed_first_up_is_repeated(kind: str, tmp_path: Path) -> None:
    """No half-created volume is used: also the volumes of data have the owners and modes of their seeds."""
    for at in count(1):
        deployed = deployment("dev_dummyauth", tmp_path / str(at))
        hook = DISTURBANCES[kind](at)
        with suppress(HubpodError, KeyboardInterrupt, Killed), deployed.disturbed(hook):
            deployed.up(OLD)

        deployed.up(OLD)

        assert deployed.runs(OLD)
        seeds = {seed.volume: unpack(seed.tar()) for seed in deployed.spec(OLD).seeds}
        assert {name: volume.tree for name, volume in deployed.podman.stored.items() if name in seeds} == seeds
        if hook.seen < at:
            break


@pytest.mark.parametrize("other", ["default2", "default-slurm2", "d", "defaul", "homes"])
@pytest.mark.parametrize("volumes", [False, True])
def test_down_leaves_other_instances_alone(other: str, tmp_path: Path, *, volumes: bool) -> None:
    """This holds also for instances whose names begin or end like the removed one."""
    deployed = deployment("dev_dummyauth", tmp_path)
    neighbour = deployed.instance(other)
    for each in (deployed, neighbour):
        each.up(OLD)
        each.write_data()
    data = deployed.podman.data()
    own = {name for name in data if name in deployed.found.volumes}

    down(deployed.context, deployed.base.instance, volumes=volumes)

    assert deployed.podman.data() == {name: tree for name, tree in data.items() if not volumes or name not in own}
    assert neighbour.is_running(OLD)
    assert bool(deployed.found.volumes) is not volumes


def test_a_hub_that_ends_on_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub cannot write its database, nor the reason to its log: the error names the disk."""
    deployed = deployment("dev_dummyauth", tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))

    with pytest.raises(MachineError, match="the disk is full"):
        deployed.up(BROKEN)


@pytest.mark.parametrize("first", ["default", "default-slurm"])
def test_an_instance_whose_name_is_taken_costs_no_data(first: str, tmp_path: Path) -> None:
    """Instances of an older hubpod may have such names: the second one fails, and leaves the first as it is."""
    whole = deployment("dev_dummyauth", tmp_path)
    one, other = sorted((whole, whole.instance("default-slurm")), key=lambda each: each.base.instance.name != first)
    one.up(OLD)
    one.write_data()
    data = one.podman.data()

    with pytest.raises(CommandError, match="already in use"):
        other.up(OLD)

    assert one.podman.data() == data
    assert one.runs(OLD)
    assert not other.found.volumes


@pytest.mark.parametrize(
    ("kind", "following"),
    [*((kind, "upgrade") for kind in DISTURBANCES), ("SIGKILL", "up"), ("the disk is full", "up")],
)
@pytest.mark.parametrize("command", PRODUCTION)
def test_data_survives_a_disturbed_upgrade(command: str, kind: str, following: str, tmp_path: Path) -> None:
    """At whatever step an upgrade ends, all data is there, and the next command brings up exactly what it should."""
    version, run = PRODUCTION[command]
    for deployed in disturbed_at_each_step("prod", run, kind, tmp_path):
        if following == "up":
            down(deployed.context, deployed.base.instance, volumes=False)
            deployed.up(version)
        else:
            deployed.upgrade(version)
        assert deployed.runs(version)
        assert deployed.is_running(version)


def disturbed_at_each_step(
    environment: str, run: Callable[[Deployment], None], kind: str, directory: Path
) -> Iterator[Deployment]:
    """Yield an instance after a command that was disturbed at its first step, at its second and so on.

    Its data is compared before and after the caller's next command.
    """
    deployed = deployment(environment, directory)
    deployed.up(OLD)
    data, restore = deployed.write_data(), deployed.save()
    for at in count(1):
        restore()
        hook = DISTURBANCES[kind](at)
        with suppress(HubpodError, KeyboardInterrupt, Killed), deployed.disturbed(hook):
            run(deployed)
        if hook.seen < at:  # the command ended before the disturbance
            return
        calls = deployed.podman.calls[-3:]
        yield deployed
        assert deployed.podman.data() == data, f"disturbed after {calls}"
