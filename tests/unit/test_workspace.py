"""Locks and ports."""

import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

from hubpod.workspace import Workspace, choose_port, port_is_free


def test_a_taken_port_is_not_free() -> None:
    """A port that something listens on is not chosen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not port_is_free(server.getsockname()[1])


def test_the_chosen_port_is_free() -> None:
    """A chosen port can be listened on."""
    with socket.create_server(("127.0.0.1", choose_port())):
        pass


def test_a_port_that_another_command_has_chosen_is_not_chosen() -> None:
    """Not even before its pod listens there: the loser of that race would break the winner's forward."""
    code = "from hubpod.workspace import choose_port\nprint(choose_port(), flush=True)\ninput()"
    words = (sys.executable, "-c", code)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = int(other.stdout.readline())

        ours = choose_port()
        again = choose_port()
        other.communicate("\n")

    assert theirs != ours == again


def test_a_second_command_waits_and_says_so(tmp_path: Path) -> None:
    """Two commands on one instance run one after the other, and the second tells what it waits for."""
    workspace, told, order = Workspace(project=tmp_path), threading.Event(), []

    def second() -> None:
        with workspace.lock("x", lambda _: told.set()):
            order.append("second")

    with workspace.lock("x", lambda _: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_a_killed_command_leaves_no_lock(tmp_path: Path) -> None:
    """A lock ends with the process that held it, even when that was killed."""
    code = (
        "import os, signal; from pathlib import Path; from hubpod.workspace import Workspace\n"
        f"with Workspace(project=Path({str(tmp_path)!r})).lock('x', print): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)

    with Workspace(project=tmp_path).lock("x", lambda line: (_ for _ in ()).throw(AssertionError(line))):
        pass


def test_the_private_folder_is_private(tmp_path: Path) -> None:
    """Nobody else can look into .hubpod."""
    with Workspace(project=tmp_path).lock("x", print):
        pass

    assert stat.S_IMODE((tmp_path / ".hubpod").stat().st_mode) == 0o700
