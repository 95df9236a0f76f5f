"""Plans of commands, which change nothing."""

from pathlib import Path

import pytest

from hubpod.commands.down import down
from hubpod.commands.dry_run import plan_down, plan_pods
from hubpod.workspace import Workspace
from support.deployments import CONTENT, OLD, POD, Deployment, deployment


@pytest.fixture
def made(tmp_path: Path) -> Deployment:
    """Make a deployment that has not been up."""
    return deployment("dev_dummyauth", tmp_path)


def plan(made: Deployment, version: str) -> list[str]:
    """Return the plan of bringing a version up."""
    return [str(action) for action in plan_pods(made.context, made.site(version), made.found)]


def test_a_first_up_seeds_every_volume_and_starts_the_pod(made: Deployment) -> None:
    """The plan names each volume with its kind, and the pod with its containers."""
    lines = plan(made, OLD)

    volumes = [f"would seed volume {seed.volume} ({seed.kind.value})" for seed in made.spec(OLD).seeds]
    assert lines == [
        *volumes,
        "would start pod hubpod-dev-dummyauth--default-slurm with slurm",
        "would start pod hubpod-dev-dummyauth--default with proxy, jupyterhub",
    ]


def test_without_a_difference_the_plan_is_empty(made: Deployment) -> None:
    """A second up would only wait."""
    made.up(OLD)

    assert plan(made, OLD) == []


def test_other_content_restarts_its_readers_alone(made: Deployment) -> None:
    """Only the volume that differs is re-seeded, and no pod is removed."""
    made.up(OLD)

    assert plan(made, CONTENT) == [
        "would re-seed volume hubpod-dev-dummyauth--default-hub-config (config)",
        "would restart container jupyterhub",
    ]


def test_another_pod_replaces_the_old_one(made: Deployment) -> None:
    """The plan names the removed containers."""
    made.up(OLD)

    lines = plan(made, POD)

    assert set(lines[:2]) == {
        "would remove pod hubpod-dev-dummyauth--default-slurm with slurm",
        "would remove pod hubpod-dev-dummyauth--default with proxy, jupyterhub",
    }
    assert lines[-1].startswith("would start pod")


@pytest.mark.parametrize("volumes", [False, True])
def test_down_removes_what_its_plan_names(made: Deployment, *, volumes: bool) -> None:
    """The plan changes nothing, and every resource that is gone afterwards is in it."""
    made.up(OLD)
    before = (set(made.podman.stored), set(made.podman.pods))

    lines = [str(action) for action in plan_down(made.context, made.base.instance, volumes=volumes)]

    assert (set(made.podman.stored), set(made.podman.pods)) == before
    down(made.context, made.base.instance, volumes=volumes)
    gone = (before[0] - set(made.podman.stored)) | (before[1] - set(made.podman.pods))
    gone = {name for name in gone if not name.startswith("tmpfs-")}  # they are part of the pod
    assert gone == {line.split()[3] for line in lines if line.split()[2] in {"pod", "volume"}}


def test_a_copied_workspace_keeps_the_original(tmp_path: Path) -> None:
    """What a plan writes is gone with the copy, and what it reads is the same."""
    original = Workspace(project=tmp_path)
    original.state.mkdir()
    (original.state / "machine.json").write_text("{}")

    with original.copied() as copy:
        assert (copy.state / "machine.json").read_text() == "{}"
        (copy.state / "machine.json").write_text("changed")
        (copy.state / "new").touch()
        left = copy.state

    assert (original.state / "machine.json").read_text() == "{}"
    assert not (original.state / "new").exists()
    assert not left.exists()
