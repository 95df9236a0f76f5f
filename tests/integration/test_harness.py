"""The harness itself: its errors, its artifacts of a failure, and its cleanup."""

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest

from hubpod.client.deadline import Deadline
from hubpod.podman.by_label import find_by_label
from hubpod.podman.cli import Podman
from hubpod.workspace import Workspace
from support.instances import PROJECT
from support.runs import path_with, path_without, pytest_argv, run_pytest
from support.sources import write_project

USAGE_ERROR = 4
SPAWN = """
def test_a_user_works(session):
    server = session.spawn(project="project1")
    assert server.execute("5 * 4") == "20"
"""
WAIT = """
import time
def test_a_user_waits(session, user):
    session.spawn(project="project1")
    open({flag!r}, "w").close()
    time.sleep(600)
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """Write a directory with a user's tests."""
    directory = tmp_path / "tests"
    directory.mkdir()
    (directory / "test_ours.py").write_text(SPAWN)
    return directory


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Clone the authenticator with a bug: it reads a claim that no token has."""
    clone = Path(shutil.copytree(PROJECT / "packages" / "bricsauthenticator", tmp_path / "clone"))
    source = clone / "src" / "bricsauthenticator" / "authenticator.py"
    text = source.read_text()
    source.write_text(text.replace('claims["short_name"]', 'claims["shortname"]'))
    assert source.read_text() != text
    return clone


def find_leftovers(podman: Podman, run: str) -> list[str]:
    """List the containers, volumes, networks and directories of a run."""
    things = find_by_label(podman, f"hubpod.run={run}", name_part=f"-{run}-").values()
    return [*chain.from_iterable(things), *map(str, Path(tempfile.gettempdir()).glob(f"hubpod-{run}-*"))]


def sentence(output: str) -> str:
    """Return pytest's usage error, and assert that no traceback was printed and no test ran."""
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert " passed" not in output
    return output


def test_a_missing_podman_is_one_error(tests: Path, tmp_path: Path) -> None:
    """Pytest prints one error with a remedy, and runs no test."""
    run = run_pytest(str(tests), env={"PATH": path_without(tmp_path / "bin", "podman")})

    assert run.code == USAGE_ERROR, run.text
    assert "the program podman is not installed" in sentence(run.text)


def test_an_old_podman_is_one_error(tests: Path, tmp_path: Path) -> None:
    """The error names the version."""
    path = path_with(tmp_path / "bin", "podman", "#!/bin/sh\necho podman version 3.4.4\n")

    run = run_pytest(str(tests), env={"PATH": path})

    assert run.code == USAGE_ERROR, run.text
    assert "podman 3.4.4 is too old" in sentence(run.text)


def test_a_podman_without_service_is_one_error(tests: Path, tmp_path: Path) -> None:
    """A failing `podman system service` is reported, and no test runs."""
    real = shutil.which("podman")
    path = path_with(tmp_path / "bin", "podman", f'#!/bin/sh\n[ "$1" = system ] && exit 125\nexec {real} "$@"\n')

    run = run_pytest(str(tests), env={"PATH": path})

    assert run.code == USAGE_ERROR, run.text
    assert "`podman system service` does not start" in sentence(run.text)


def test_a_podman_of_another_version_is_refused(tests: Path) -> None:
    """A run for one version of podman does not continue with another."""
    run = run_pytest(str(tests), "--hubpod-podman-version=3.9")

    assert run.code == USAGE_ERROR, run.text
    assert "podman 3.9 is required" in sentence(run.text)


def test_a_broken_image_is_one_error(tests: Path, clone: Path) -> None:
    """A clone that cannot be installed ends the run with the failing step and its last lines."""
    write_project(clone, "[project]\nname = 'bricsauthenticator'\n")

    run = run_pytest(str(tests), f"--hubpod-source=bricsauthenticator={clone}")

    assert run.code == USAGE_ERROR, run.text
    assert "building the jupyterhub image failed at" in sentence(run.text)


def test_a_missing_browser_is_one_error(tmp_path: Path) -> None:
    """Browser tests do not start without a browser."""
    (tmp_path / "test_ours.py").write_text("def test_page(page):\n    pass\n")
    browsers = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

    run = run_pytest(str(tmp_path), env={"PATH": path_without(tmp_path / "bin", *browsers)})

    assert run.code == USAGE_ERROR, run.text
    assert "./run --prepare chromium" in sentence(run.text)


def test_a_failure_names_the_broken_line_of_a_clone(tests: Path, clone: Path, tmp_path: Path) -> None:
    """The failure names the line of the clone, and the artifacts contain no secrets."""
    kept = tmp_path / "kept"

    run = run_pytest(str(tests), f"--hubpod-source=bricsauthenticator={clone}", f"--hubpod-artifacts={kept}")

    assert run.code == 1, run.text
    assert "KeyError: 'shortname'" in run.stdout
    assert "bricsauthenticator/authenticator.py" in run.stdout
    (directory,) = {path.parent for path in kept.rglob("README.txt")}
    files = {path.name for path in directory.iterdir()}
    assert {"log-jupyterhub.txt", "inspect-slurm.json", "squeue.txt", "users.json", "timeline.txt"} <= files
    assert "eyJ" not in "".join(path.read_text() for path in directory.iterdir() if path.suffix == ".txt")


@pytest.fixture
def clean_up_stacks() -> Iterator[None]:
    """Remove the reusable stacks of a test."""
    yield
    assert run_pytest("--hubpod-clean").code == 0


@pytest.mark.usefixtures("clean_up_stacks")
def test_a_stack_is_reused_until_a_source_changes(tests: Path, clone: Path) -> None:
    """The second run reuses the stack, and a run with another source starts a new one."""
    words = (str(tests), "--hubpod-reuse", "-rA")
    (tests / "test_ours.py").write_text("def test_where(stack):\n    print('port', stack.url)\n")

    ports = [[line for line in run_pytest(*words).stdout.splitlines() if line.startswith("port ")] for _ in range(2)]
    changed = run_pytest(*words, f"--hubpod-source=bricsauthenticator={clone}")

    assert len(ports[0]) == 1
    assert ports[0] == ports[1]
    assert changed.code == 0, changed.text
    assert ports[0][0] not in changed.stdout


@pytest.mark.usefixtures("clean_up_stacks")
def test_a_failed_stack_can_be_kept(podman: Podman, tmp_path: Path) -> None:
    """--hubpod-keep keeps a hub that does not start. Without the option, it is removed."""
    (tmp_path / "test_ours.py").write_text("def test_hub(stacks):\n    stacks(config='c.no_such_name.x = undefined')\n")
    runs = [run_pytest(str(tmp_path), *words) for words in ((), ("--hubpod-keep",))]

    assert [run.code for run in runs] == [1, 1], runs
    assert "NameError: name 'undefined' is not defined" in runs[1].stdout
    kept = podman.containers({"hubpod.kept": str(PROJECT)})
    assert {name.rpartition("-")[2] for name in kept} >= {"jupyterhub", "slurm"}


def parent_of(record: Path) -> int:
    """Return the id of a record's process, or 0 if its run has just ended."""
    with suppress(FileNotFoundError):
        return int(json.loads(record.read_text())["parent"])
    return 0


MOMENTS = ("at once", "while it starts", "while a user works", "after its records were removed")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_nothing(podman: Podman, tmp_path: Path, moment: str) -> None:
    """A kill at any moment leaves no container, volume, network, process or directory."""
    flag = tmp_path / "works"
    (tmp_path / "test_ours.py").write_text(WAIT.format(flag=str(flag)))
    records = Workspace(project=PROJECT).state / "harness"
    with subprocess.Popen(
        pytest_argv(str(tmp_path)), cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as run:
        deadline = Deadline(300, f"the moment {moment!r}")
        while not (ours := [path for path in records.glob("*.json") if parent_of(path) == run.pid]):
            deadline.pause(0.05)
        (record,) = ours
        label = f"hubpod.run={record.stem}"
        moments: dict[str, Callable[[], bool]] = {
            "at once": lambda: True,
            "while it starts": lambda: bool(find_by_label(podman, label)["container"]),
        }
        reached = moments.get(moment, flag.exists)
        while not reached():
            deadline.pause(0.05)
        if moment == MOMENTS[-1]:
            record.unlink()
        run.send_signal(signal.SIGKILL)
    deadline = Deadline(60, f"the end of all that run {record.stem} has left")
    while record.exists() or find_leftovers(podman, record.stem):
        deadline.pause(0.05)
