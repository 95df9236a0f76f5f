"""`--dry` on a real instance: the plan is true, and nothing changes."""

import hashlib
from pathlib import Path

import pytest

from support.instances import PROJECT, SOURCES, RunningInstance, run_invoke

STATE = PROJECT / ".hubpod"
VOLATILE = {"run", "locks"}


def files(directory: Path) -> dict[str, str]:
    """Return the digest of every file of a private directory."""
    top = len(directory.parts)
    found = (path for path in directory.rglob("*") if path.is_file() and path.parts[top] not in VOLATILE)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def resources(running: RunningInstance) -> list[str]:
    """List the containers of an instance with their start, and its volumes; other tests share this podman."""
    containers = running.podman.containers(running.instance.labels).values()
    return [*sorted(f"{each.name} {each.started}" for each in containers), *sorted(running.remaining_resources())]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dev.up", *SOURCES), "nothing would change"),
        (("dev.up", "--port=18404", *SOURCES), "would remove pod"),
        (("dev.reload",), "nothing would change"),
        (("dev.down",), "would remove pod"),
        (("dev.down", "--volumes"), "-homes (data)"),
        (("dev.build", "--base=registry"), "would"),
        (("dev.clone",), "would"),
    ],
    ids=lambda value: value if isinstance(value, str) else "_".join(value[:2]),
)
def test_dry_changes_nothing(running: RunningInstance, words: tuple[str, ...], says: str) -> None:
    """The plan is printed, and pods, volumes, images and private files are as before."""
    before = (resources(running), files(STATE))

    result = running.invoke(words[0], "--dry", *words[1:])

    assert result.code == 0, result.text
    assert says in result.stdout
    assert (resources(running), files(STATE)) == before


def test_dry_before_a_task_and_for_an_instance_that_is_new(running: RunningInstance) -> None:
    """A first up is planned without writing settings, and --dry may stand before the task as invoke's own did."""
    before = (resources(running), files(STATE))
    planned = RunningInstance(name="plan-only", podman=running.podman)

    result = run_invoke("--dry", "dev.up", "--instance=plan-only", *SOURCES)

    assert result.code == 0, result.text
    assert "would write settings with a new password to " in result.stdout
    assert str(STATE / "dev_dummyauth" / "plan-only") in result.stdout
    assert "would start pod hubpod-dev-dummyauth--plan-only" in result.stdout
    assert (resources(running), files(STATE)) == before
    assert planned.remaining_resources() == []
