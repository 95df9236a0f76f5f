"""The queries that `up` starts ahead, with a stand-in for podman that answers on request."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hubpod.components.assembly import podman_name
from hubpod.context import Context
from hubpod.deployment import prefetch
from hubpod.deployment.prefetch import Prefetch, start_prefetch
from hubpod.environments import find_environment
from hubpod.errors import MachineError
from hubpod.instances import Instance
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot, take_snapshot
from hubpod.request import UpRequest
from hubpod.system.background import start
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from support.sites import PROJECT

INSTANCE = Instance(environment=find_environment("dev_dummyauth"), name="one")
SCRIPT = """#!/bin/sh
[ "$1" = --version ] && {{ echo podman version 4.3.1; exit; }}
echo "$*" >>{directory}/calls
until [ -e {directory}/go ]; do sleep 0.01; done
case $1-$2 in
  ps-*) echo '{containers}' ;;
  volume-ls) echo '{volumes}' ;;
  image-inspect) echo 1a localhost/base:1; exit 125 ;;
  exec-*) echo not yet; exit 1 ;;
esac
"""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A context whose podman answers once a file `go` exists.

    At the end of the test, podman answers in any case.
    """
    labels = INSTANCE.labels
    name = podman_name(INSTANCE, "slurm")
    containers = [{"Names": [name], "Image": "localhost/base:1", "State": "running", "Labels": labels}]
    volumes = [{"Name": "homes", "Labels": labels}]
    script = SCRIPT.format(directory=tmp_path, containers=json.dumps(containers), volumes=json.dumps(volumes))
    (tmp_path / "podman").write_text(script)
    (tmp_path / "podman").chmod(0o755)
    podman = Podman(executable=str(tmp_path / "podman"))
    reporter = ConsoleReporter(console=Console(quiet=True))
    yield Context(workspace=Workspace(project=PROJECT), podman=podman, reporter=reporter)
    (tmp_path / "go").touch()


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[int], list[str]]:
    """Returns podman's calls, once there are so many of them."""

    def read(count: int) -> list[str]:
        deadline = time.monotonic() + 10
        path = tmp_path / "calls"
        while time.monotonic() < deadline:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) >= count:
                return lines
            time.sleep(0.01)
        raise AssertionError(f"{lines} are fewer than {count}")

    return read


def fetch(context: Context, tmp_path: Path) -> Prefetch:
    """Take a snapshot and start the queries of an `up`."""
    (tmp_path / "go").touch()
    found = take_snapshot(context.podman, INSTANCE.labels)
    return start_prefetch(context, UpRequest(instance=INSTANCE), found)


def test_a_snapshot_has_containers_and_volumes(
    context: Context, tmp_path: Path, calls: Callable[[int], list[str]]
) -> None:
    """Both lists are queried side by side."""
    answer = start(lambda: take_snapshot(context.podman, INSTANCE.labels))

    assert {call.split()[0] for call in calls(2)} == {"ps", "volume"}
    (tmp_path / "go").touch()

    found = answer()
    assert list(found.running) == [podman_name(INSTANCE, "slurm")]
    assert list(found.volumes) == ["homes"]


def test_a_prefetched_image_is_not_queried_again(
    context: Context, tmp_path: Path, calls: Callable[[int], list[str]]
) -> None:
    """Only an image that was not prefetched is queried, whether it exists or not."""
    ahead = fetch(context, tmp_path)
    missing = next(each for each in ahead.references if each != "localhost/base:1")

    assert ahead.image_ids(["localhost/base:1", missing]) == {"localhost/base:1": "1a"}
    assert sum(call.startswith("image inspect") for call in calls(3)) == 1

    ahead.image_ids(["localhost/other:2"])
    assert sum(call.startswith("image inspect") for call in calls(3)) == 2


def test_answers_do_not_count_for_long(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have ended, and an image may have been removed, while something was built."""
    ahead = fetch(context, tmp_path)
    assert list(ahead.fresh_checks) == [podman_name(INSTANCE, "slurm")]
    ahead.images()

    monkeypatch.setattr(prefetch, "FRESH_S", 0.0)

    assert not ahead.fresh_checks
    before = (tmp_path / "calls").read_text().count("image inspect")
    ahead.image_ids(["localhost/base:1"])
    assert (tmp_path / "calls").read_text().count("image inspect") == before + 1


def test_nothing_that_is_down_is_checked(context: Context, tmp_path: Path) -> None:
    """Without containers there is no readiness to query."""
    (tmp_path / "go").touch()
    ahead = start_prefetch(context, UpRequest(instance=INSTANCE), Snapshot(containers={}, volumes={}))

    ahead.images()
    assert not ahead.checks


def test_an_error_is_raised_where_the_answer_is_needed() -> None:
    """The thread that met it does not report it."""

    def fail() -> None:
        raise MachineError("podman is gone")

    answer = start(fail)

    with pytest.raises(MachineError, match="podman is gone"):
        answer()
