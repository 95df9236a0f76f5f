"""Failed upgrades: what ran before runs again with its data, and is known by its content."""

from contextlib import suppress
from pathlib import Path

import pytest

from hubpod.commands.down import down
from hubpod.components import jupyterhub
from hubpod.deployment import readiness, rollback
from hubpod.errors import HubpodError, MachineError, NotReadyError
from hubpod.system.process import CommandError
from support.deployments import BROKEN, CONTENT, DATABASE, OLD, POD, Deployment, Disturbance, Killed, deployment
from support.volume_trees import Entry, Tree

CHANGED = Entry(content=b"changed by the new version", mode=0o600, uid=1000, gid=1000)


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Production in its first version."""
    monkeypatch.setattr(readiness, "ENDED_INTERVAL_S", 0.01)
    monkeypatch.setattr(readiness, "COMMAND_INTERVAL_S", 0.01)
    monkeypatch.setattr(rollback, "STATUS_INTERVAL_S", 0.01)
    found = deployment("prod", tmp_path)
    found.up(OLD)
    return found


@pytest.fixture
def data(deployed: Deployment) -> Tree:
    """The files of the hub, as its first version has left them."""
    return deployed.write_data()[database(deployed)]


def database(deployed: Deployment) -> str:
    """Return the name of the volume with the hub's database."""
    return deployed.base.instance.volume(jupyterhub.DATA_VOLUME)


def backup(deployed: Deployment) -> Path:
    """Return the directory of an upgrade's backup."""
    return deployed.context.workspace.files(deployed.base.instance).backup


def fail_after_a_change(deployed: Deployment, version: str = BROKEN) -> HubpodError:
    """Upgrade to a version that changes the database and does not become ready; return the error."""
    steps = ["kube play", "ps "]

    def change(line: str) -> None:
        if steps and line.startswith(steps[0]):
            steps.pop(0)
            if not steps:
                deployed.podman.stored[database(deployed)].tree[DATABASE] = CHANGED

    with pytest.raises(HubpodError) as caught, deployed.disturbed(change):
        deployed.upgrade(version)
    return caught.value


def test_a_failed_upgrade_restores_everything(deployed: Deployment, data: Tree) -> None:
    """Database, configuration and pod are those of before, and no copy of a secret is left."""
    error = fail_after_a_change(deployed)

    assert isinstance(error, NotReadyError)
    assert error.remedy.startswith("what ran before runs again; ")
    assert deployed.podman.data()[database(deployed)] == data
    assert deployed.runs(OLD)
    assert not list(backup(deployed).parent.glob("before*"))


@pytest.mark.usefixtures("data")
def test_the_failed_version_does_not_count_as_running(deployed: Deployment) -> None:
    """After a rollback the next upgrade to the same version is not skipped."""
    deployed.podman.failing.append(f"restart --time=5 {deployed.base.instance.resource}-jupyterhub")
    with pytest.raises(CommandError):
        deployed.upgrade(CONTENT)
    deployed.podman.failing.clear()

    assert deployed.is_running(OLD)
    assert not deployed.is_running(CONTENT)
    deployed.upgrade(CONTENT)
    assert deployed.runs(CONTENT)


def test_a_restored_volume_is_known_by_its_content(deployed: Deployment) -> None:
    """A volume that was re-seeded since its creation is not identified by its first content."""
    deployed.upgrade(CONTENT)  # re-seeds the volume; its label is still that of the first version
    fail_after_a_change(deployed)

    assert deployed.runs(CONTENT)
    assert deployed.is_running(CONTENT)
    assert not deployed.is_running(OLD)
    deployed.upgrade(OLD)
    assert deployed.runs(OLD)


def test_a_failed_rollback_keeps_the_copies(deployed: Deployment, data: Tree) -> None:
    """If the database cannot be restored, its copy is kept and named, and the next command restores it."""
    deployed.podman.failing.append(f"volume import {database(deployed)}")
    error = fail_after_a_change(deployed)
    deployed.podman.failing.clear()

    assert isinstance(error, MachineError)
    assert str(backup(deployed)) in error.remedy
    assert "not ready" in error.message or "ended" in error.message
    deployed.upgrade(POD)
    assert deployed.podman.data()[database(deployed)] == data
    assert deployed.runs(POD)


@pytest.mark.usefixtures("data")
def test_a_hub_that_cannot_be_copied_keeps_running(deployed: Deployment) -> None:
    """An upgrade that fails before its first change leaves the hub running and no copy."""
    deployed.podman.failing.append("volume export")

    with pytest.raises(CommandError):
        deployed.upgrade(POD)

    assert deployed.runs(OLD)
    assert not backup(deployed).exists()


@pytest.fixture
def killed(deployed: Deployment, data: Tree) -> tuple[Deployment, Tree]:
    """Production whose upgrade was killed after the new version had begun to change the database."""
    starts = Disturbance(Killed(), at=1, lasting=True, only=("exec", "logs"))
    with suppress(Killed), deployed.disturbed(starts):
        deployed.upgrade(POD)
    deployed.podman.stored[database(deployed)].tree[DATABASE] = CHANGED
    return deployed, data


def test_the_copies_of_a_killed_upgrade_are_not_overwritten(killed: tuple[Deployment, Tree]) -> None:
    """The present state is half upgraded, so that a failure of the next upgrade restores the state before both."""
    deployed, data = killed

    fail_after_a_change(deployed)

    assert deployed.podman.data()[database(deployed)] == data
    assert deployed.runs(OLD)


@pytest.mark.parametrize("ended_by", ["up", "upgrade", "down --volumes"])
def test_old_copies_are_not_restored_after_a_success(killed: tuple[Deployment, Tree], ended_by: str) -> None:
    """Once a version is ready, users change its database: a later failure restores this one."""
    deployed, _ = killed
    match ended_by:
        case "up":
            down(deployed.context, deployed.base.instance, volumes=False)
            deployed.up(POD)
        case "upgrade":
            deployed.upgrade(POD)
        case _:
            down(deployed.context, deployed.base.instance, volumes=True)
            deployed.up(POD)
    present = {**deployed.podman.data()[database(deployed)], "later": Entry(content=b"later", mode=0o600)}
    deployed.podman.stored[database(deployed)].tree.update(present)

    fail_after_a_change(deployed)

    assert deployed.podman.data()[database(deployed)] == present
    assert deployed.runs(POD)


def test_containers_restart_after_an_interrupted_reseeding(deployed: Deployment) -> None:
    """The configuration is new, but the hub has read the old one: the next command restarts it."""
    with suppress(Killed), deployed.disturbed(Disturbance(Killed(), at=1, lasting=True, only=("restart",))):
        deployed.upgrade(CONTENT)
    deployed.podman.calls.clear()

    deployed.upgrade(CONTENT)

    assert any(call.startswith(("restart", "kube play")) for call in deployed.podman.calls)
