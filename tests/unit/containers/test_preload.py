"""The development process that preloads unedited modules and forks the hub.

A fake JupyterHub package prints its arguments and then waits.
"""

import os
import select
import signal
import socket
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
"""Timeout for a process that hangs."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of modules: a hub, and the edited module that it imports late."""
    (tmp_path / "jupyterhub").mkdir()
    (tmp_path / "jupyterhub" / "__init__.py").touch()
    (tmp_path / "jupyterhub" / "app.py").write_text(APP)
    edit(tmp_path, words="first")
    return tmp_path


def edit(directory: Path, *, words: str, end: int = 0) -> None:
    """Save another version of the edited module."""
    (directory / "edited.py").write_text(f"WORDS, END = {words!r}, {end}\n")


def command(directory: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return the command with its arguments and its environment."""
    # Only the standard library and the directory are importable; the command skips modules that are missing.
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(directory),
        "TMPDIR": str(directory),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return [sys.executable, "-S", str(PRELOAD), *words], env


def again(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that requests another hub."""
    argv, env = command(directory, "--again")
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=ENDS_S)


@pytest.fixture
def running(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """The running process, started with two arguments."""
    argv, env = command(directory, "-f", "config.py")
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def read_words(process: subprocess.Popen[str]) -> list[str]:
    """Read the words of the next line that a hub prints."""
    assert process.stdout
    return process.stdout.readline().split()


def test_the_hub_gets_the_arguments(running: subprocess.Popen[str]) -> None:
    """The hub runs as `jupyterhub` with the arguments of the process."""
    assert read_words(running)[:-1] == ["jupyterhub", "-f", "config.py", "first"]


def test_another_hub_uses_the_edit(running: subprocess.Popen[str], directory: Path) -> None:
    """The previous hub has ended when the next one starts, which runs the saved edit."""
    *_, before = read_words(running)
    edit(directory, words="second")

    request = again(directory)
    *_, words, after = read_words(running)

    assert request.returncode == 0, request.stderr
    assert words == "second"
    assert before != after
    with pytest.raises(ProcessLookupError):
        os.kill(int(before), 0)


def test_the_process_exits_with_the_status_of_the_hub(running: subprocess.Popen[str]) -> None:
    """The exit status is that of the hub, so that podman sees the hub's own status."""
    *_, hub = read_words(running)

    os.kill(int(hub), signal.SIGKILL)

    assert running.wait(ENDS_S) == 128 + signal.SIGKILL


def test_sigterm_stops_the_hub(running: subprocess.Popen[str]) -> None:
    """SIGTERM stops the hub gracefully, and the process exits with its status."""
    *_, hub = read_words(running)

    running.terminate()

    assert running.wait(ENDS_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(hub), 0)


def test_a_killed_process_leaves_no_hub(running: subprocess.Popen[str]) -> None:
    """The hub ends when its parent is killed, which cannot stop it any more."""
    *_, hub = read_words(running)
    exit_fd = os.pidfd_open(int(hub))

    running.kill()

    has_exited, _, _ = select.select([exit_fd], [], [], ENDS_S)
    os.close(exit_fd)
    assert has_exited


def test_an_interrupted_request_leaves_the_hub_running(running: subprocess.Popen[str], directory: Path) -> None:
    """A requester that ends before its response gets another hub all the same."""
    read_words(running)
    with socket.socket(socket.AF_UNIX) as requester:
        requester.connect(str(directory / "hubpod-preload"))
    interrupted = read_words(running)

    request = again(directory)

    assert interrupted[-2:-1] == ["first"]
    assert request.returncode == 0, request.stderr
    assert read_words(running)[-2:-1] == ["first"]


def test_the_traceback_of_a_broken_hub_is_printed(running: subprocess.Popen[str], directory: Path) -> None:
    """An edit that raises ends the process with status 1 and a traceback."""
    read_words(running)
    (directory / "edited.py").write_text("raise RuntimeError('a bug of my own')\n")

    request = again(directory)

    assert request.returncode == 0, request.stderr
    assert running.wait(ENDS_S) == 1
    assert running.stderr
    assert "RuntimeError: a bug of my own" in running.stderr.read()


def test_without_a_running_process_there_is_one_error_line(directory: Path) -> None:
    """If no process listens, the command prints one line and exits with 1."""
    request = again(directory)

    assert request.returncode == 1
    assert request.stderr.startswith("no preloaded hub to restart: ")
    assert len(request.stderr.splitlines()) == 1
