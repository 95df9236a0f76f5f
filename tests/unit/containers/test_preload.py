"""The process of development that keeps imported what nobody edits, and forks the hub.

A package stands for JupyterHub here, which says what it was given and then waits.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sites import PROJECT

PRELOAD = PROJECT / "containers" / "jupyterhub" / "preload.py"
APP = """
import os, signal, sys

def main():
    import edited
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(edited.END))
    print(*sys.argv, edited.WORDS, os.getpid(), flush=True)
    signal.pause()
"""
ENDS_S = 60
"""Until a process that hangs is given up."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of modules: a hub, and what it imports late."""
    (tmp_path / "jupyterhub").mkdir()
    (tmp_path / "jupyterhub" / "__init__.py").touch()
    (tmp_path / "jupyterhub" / "app.py").write_text(APP)
    edit(tmp_path, words="first")
    return tmp_path


def edit(folder: Path, *, words: str, end: int = 0) -> None:
    """Save another version of what the hub imports."""
    (folder / "edited.py").write_text(f"WORDS, END = {words!r}, {end}\n")


def command(folder: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """The command with these arguments, and its environment."""
    # Nothing but the standard library and that folder: what it cannot import it goes without.
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return [sys.executable, "-S", str(PRELOAD), *words], env


def again(folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask for another hub."""
    argv, env = command(folder, "--again")
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=ENDS_S)


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The process, started with two arguments."""
    argv, env = command(folder, "-f", "config.py")
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> list[str]:
    """The next line that a hub says, in words."""
    assert process.stdout
    return process.stdout.readline().split()


def test_the_hub_gets_the_arguments(running: subprocess.Popen[str]) -> None:
    """It is `jupyterhub` with them."""
    assert said(running)[:-1] == ["jupyterhub", "-f", "config.py", "first"]


def test_another_hub_takes_the_edit(running: subprocess.Popen[str], folder: Path) -> None:
    """The one of before has ended when the next begins, which sees what was saved meanwhile."""
    *_, before = said(running)
    edit(folder, words="second")

    asked = again(folder)
    *_, words, after = said(running)

    assert asked.returncode == 0, asked.stderr
    assert words == "second"
    assert before != after
    with pytest.raises(ProcessLookupError):
        os.kill(int(before), 0)


def test_it_ends_with_the_hub_and_its_status(running: subprocess.Popen[str]) -> None:
    """So that whoever restarts containers sees what it would have seen."""
    *_, hub = said(running)

    os.kill(int(hub), signal.SIGKILL)

    assert running.wait(ENDS_S) == 128 + signal.SIGKILL


def test_told_to_end_it_ends_its_hub(running: subprocess.Popen[str]) -> None:
    """The hub ends in good order, and its status is the one."""
    *_, hub = said(running)

    running.terminate()

    assert running.wait(ENDS_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(hub), 0)


def test_a_hub_that_breaks_is_told_with_its_traceback(running: subprocess.Popen[str], folder: Path) -> None:
    """An edit that raises ends it all, as it would have ended the hub."""
    said(running)
    (folder / "edited.py").write_text("raise RuntimeError('a bug of my own')\n")

    asked = again(folder)

    assert asked.returncode == 0, asked.stderr
    assert running.wait(ENDS_S) == 1
    assert running.stderr
    assert "RuntimeError: a bug of my own" in running.stderr.read()


def test_without_a_running_one_there_is_a_sentence(folder: Path) -> None:
    """Nobody listens."""
    asked = again(folder)

    assert asked.returncode == 1
    assert asked.stderr.startswith("no preloaded hub to restart: ")
    assert len(asked.stderr.splitlines()) == 1
