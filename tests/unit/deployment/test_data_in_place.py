"""Homes, Slurm's state and the hub's database survive whatever ends a command."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from hubpod.commands.down import down
from hubpod.deployment import readiness, rollback
from hubpod.errors import HubpodError
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
