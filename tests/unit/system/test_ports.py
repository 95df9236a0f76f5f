"""Choosing a port."""

import socket
import subprocess
import sys

from hubpod.system.ports import choose_port, port_is_free


def test_a_taken_port_is_not_free() -> None:
    """A port that something listens on is not chosen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not port_is_free(server.getsockname()[1])


def test_the_chosen_port_is_free() -> None:
    """A chosen port can be listened on."""
    with socket.create_server(("127.0.0.1", choose_port())):
        pass


def test_a_port_that_another_command_has_chosen_is_not_chosen() -> None:
    """A port that another command has chosen is not chosen, even if nothing listens.

    The loser of that race would break the winner's forward.
    """
    code = "from hubpod.system.ports import choose_port\nprint(choose_port(), flush=True)\ninput()"
    words = (sys.executable, "-c", code)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = int(other.stdout.readline())

        ours = choose_port()
        again = choose_port()
        other.communicate("\n")

    assert theirs != ours == again
