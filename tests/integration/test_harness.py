"""The harness itself: what it says when it cannot work, what it keeps of a failure, and what it leaves behind."""

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
from support.runs import path_without, program, pytest_argv, run_pytest

USAGE_ERROR = 4
SPAWN = """
def test_somebody_works(session):
    server = session.spawn(project="project1")
    assert server.execute("5 * 4") == "20"
"""
WAIT = """
import time
def test_somebody_waits(session, user):
    session.spawn(project="project1")
    open({flag!r}, "w").close()
    time.sleep(600)
"""


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    """A folder of somebody's own tests."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_ours.py").write_text(SPAWN)
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the authenticator with a bug: it reads a claim that no token has."""
    clone = Path(shutil.copytree(PROJECT / "packages" / "bricsauthenticator", tmp_path / "clone"))
    source = clone / "src" / "bricsauthenticator" / "authenticator.py"
    text = source.read_text()
    source.write_text(text.replace('claims["short_name"]', 'claims["shortname"]'))
    assert source.read_text() != text
    return clone


def left_of(podman: Podman, run: str) -> list[str]:
    """What there is of a run: containers, volumes, networks, and its folder."""
    things = find_by_label(podman, f"hubpod.run={run}", name_part=f"-{run}-").values()
    return [*chain.from_iterable(things), *map(str, Path(tempfile.gettempdir()).glob(f"hubpod-{run}-*"))]


def sentence(output: str) -> str:
    """What pytest says of a usage error: there is no traceback, and no test has run."""
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert " passed" not in output
    return output


def test_without_podman_there_is_one_sentence(tests: Path, tmp_path: Path) -> None:
    """Without podman pytest says so once, with the remedy, and runs no test."""
    run = run_pytest(str(tests), env={"PATH": path_without(tmp_path / "bin", "podman")})

    assert run.code == USAGE_ERROR, run.text
    assert "the program podman is not installed" in sentence(run.text)


def test_a_podman_that_is_too_old_is_one_sentence(tests: Path, tmp_path: Path) -> None:
    """An old podman is refused by its version."""
    path = program(tmp_path / "bin", "podman", "#!/bin/sh\necho podman version 3.4.4\n")

    run = run_pytest(str(tests), env={"PATH": path})

    assert run.code == USAGE_ERROR, run.text
    assert "podman 3.4.4 is too old" in sentence(run.text)


def test_a_podman_without_service_is_one_sentence(tests: Path, tmp_path: Path) -> None:
    """Where `podman system service` does not start, that is said, and no test is tried."""
    real = shutil.which("podman")
    path = program(tmp_path / "bin", "podman", f'#!/bin/sh\n[ "$1" = system ] && exit 125\nexec {real} "$@"\n')

    run = run_pytest(str(tests), env={"PATH": path})

    assert run.code == USAGE_ERROR, run.text
    assert "`podman system service` does not start" in sentence(run.text)


def test_another_podman_than_asked_for_is_refused(tests: Path) -> None:
    """A run that is about one version of podman does not go on with another."""
    run = run_pytest(str(tests), "--hubpod-podman-version=3.9")

    assert run.code == USAGE_ERROR, run.text
    assert "podman 3.9 was asked for" in sentence(run.text)


def test_a_broken_image_is_one_sentence(tests: Path, clone: Path) -> None:
    """A clone that cannot be installed ends the run with the step that failed and its last lines."""
    (clone / "pyproject.toml").write_text("[project]\nname = 'bricsauthenticator'\n")

    run = run_pytest(str(tests), f"--hubpod-source=bricsauthenticator={clone}")

    assert run.code == USAGE_ERROR, run.text
    assert "building the jupyterhub image failed at" in sentence(run.text)


def test_without_a_browser_there_is_one_sentence(tmp_path: Path) -> None:
    """Tests with a browser do not start where there is none."""
    (tmp_path / "test_ours.py").write_text("def test_page(page):\n    pass\n")
    browsers = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

    run = run_pytest(str(tmp_path), env={"PATH": path_without(tmp_path / "bin", *browsers)})

    assert run.code == USAGE_ERROR, run.text
    assert "./run --prepare chromium" in sentence(run.text)


def test_a_bug_in_a_clone_is_named(tests: Path, clone: Path, tmp_path: Path) -> None:
    """A stranger sees which line of the clone broke, and finds everything else in a folder without secrets."""
    kept = tmp_path / "kept"

    run = run_pytest(str(tests), f"--hubpod-source=bricsauthenticator={clone}", f"--hubpod-artifacts={kept}")

    assert run.code == 1, run.text
    assert "KeyError: 'shortname'" in run.stdout
    assert "bricsauthenticator/authenticator.py" in run.stdout
    (folder,) = {path.parent for path in kept.rglob("README.txt")}
    files = {path.name for path in folder.iterdir()}
    assert {"log-jupyterhub.txt", "inspect-slurm.json", "squeue.txt", "users.json", "timeline.txt"} <= files
    assert "eyJ" not in "".join(path.read_text() for path in folder.iterdir() if path.suffix == ".txt")


@pytest.fixture
def cleaned() -> Iterator[None]:
    """Removes the stacks that a test has left."""
    yield
    assert run_pytest("--hubpod-clean").code == 0


@pytest.mark.usefixtures("cleaned")
def test_a_stack_is_used_again_until_something_changes(tests: Path, clone: Path) -> None:
    """The second run takes the stack of the first; one with another source gets a new one."""
    words = (str(tests), "--hubpod-reuse", "-rA")
    (tests / "test_ours.py").write_text("def test_where(stack):\n    print('port', stack.url)\n")

    ports = [[line for line in run_pytest(*words).stdout.splitlines() if line.startswith("port ")] for _ in range(2)]
    changed = run_pytest(*words, f"--hubpod-source=bricsauthenticator={clone}")

    assert len(ports[0]) == 1
    assert ports[0] == ports[1]
    assert changed.code == 0, changed.text
    assert ports[0][0] not in changed.stdout


@pytest.mark.usefixtures("cleaned")
def test_a_stack_that_does_not_get_ready_can_be_looked_at(podman: Podman, tmp_path: Path) -> None:
    """With --hubpod-keep a hub that does not start is named and stays; without, nothing does."""
    (tmp_path / "test_ours.py").write_text("def test_hub(stacks):\n    stacks(config='c.no_such_name.x = undefined')\n")
    runs = [run_pytest(str(tmp_path), *words) for words in ((), ("--hubpod-keep",))]

    assert [run.code for run in runs] == [1, 1], runs
    assert "NameError: name 'undefined' is not defined" in runs[1].stdout
    kept = podman.containers({"hubpod.kept": str(PROJECT)})
    assert {name.rpartition("-")[2] for name in kept} >= {"jupyterhub", "slurm"}


def parent_of(record: Path) -> int:
    """The process whose run a record is about; 0 when the run has just ended."""
    with suppress(FileNotFoundError):
        return int(json.loads(record.read_text())["parent"])
    return 0


MOMENTS = ("at once", "while it starts", "while somebody works", "after its records were removed")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_nothing(podman: Podman, tmp_path: Path, moment: str) -> None:
    """After a run is killed, at whatever moment, no container, volume, network, process or folder of it is left."""
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
    while record.exists() or left_of(podman, record.stem):
        deadline.pause(0.05)
