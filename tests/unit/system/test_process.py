"""Running commands."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest

from hubpod.errors import MachineError
from hubpod.system import process
from hubpod.system.interrupts import TerminationSignal
from hubpod.system.process import CommandError


def test_a_failing_command_tells_status_and_last_lines() -> None:
    """The error of a command has its status and what it said."""
    with pytest.raises(CommandError, match="ended with status 3") as caught:
        process.run([sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])

    assert caught.value.detail == ("why",)


def test_a_missing_program_is_named() -> None:
    """A program that is not installed gives a sentence, not a traceback."""
    with pytest.raises(MachineError, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_a_command_that_takes_too_long_is_ended() -> None:
    """The time limit ends the command, and the error says so."""
    with pytest.raises(CommandError) as caught:
        process.run(["sleep", "60"], timeout_s=0.2)

    assert "ended after 0 s" in caught.value.detail[-1]


def test_secrets_go_in_on_standard_input() -> None:
    """Bytes reach the command's standard input as they are."""
    assert process.run(["cat"], stdin=b"\x00secret\n").stdout == "\x00secret\n"


def test_lines_come_as_they_are_written() -> None:
    """Each line, of either output, is handed on in order, and the last ones are kept."""
    lines: list[str] = []

    result = process.stream(["sh", "-c", "echo a; echo b >&2; exit 4"], on_line=lines.append)

    assert lines == ["a", "b"]
    assert (result.returncode, result.last_lines) == (4, ("a", "b"))


def test_an_interrupt_ends_the_command() -> None:
    """A person's Ctrl-C leaves no process behind."""
    started: list[int] = []

    def on_line(line: str) -> None:
        started.append(int(line))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        process.stream(["sh", "-c", "echo $$; exec sleep 60"], on_line=on_line)

    assert not Path(f"/proc/{started[0]}").exists()


def test_commands_of_other_threads_can_be_ended() -> None:
    """When one of two builds fails, the other one is ended instead of waited for."""
    begun = threading.Event()
    results: list[process.Result] = []

    def work() -> None:
        argv = ["sh", "-c", "echo begun; exec sleep 60"]
        results.append(process.stream(argv, on_line=lambda _: begun.set()))

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    process.terminate_all()
    thread.join(10)

    assert results[0].returncode == -signal.SIGTERM


def test_an_attached_command_is_ended_with_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends this process alone, such as SIGTERM, ends the command that has its terminal."""

    def told_to_end(number: int, _frame: object) -> NoReturn:
        raise TerminationSignal(number)

    before = signal.signal(signal.SIGTERM, told_to_end)
    monkeypatch.chdir(tmp_path)
    note = tmp_path / "pid"
    thread = threading.Thread(target=end_this_process_after, args=(note,))
    thread.start()
    try:
        with pytest.raises(TerminationSignal) as caught:
            process.attach(["sh", "-c", "echo $$ >new; mv new pid; exec sleep 60"])
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)

    assert caught.value.number == signal.SIGTERM
    assert not Path(f"/proc/{note.read_text().strip()}").exists()


@pytest.fixture
def told_to_end() -> Iterator[None]:
    """SIGTERM ends what this process does, as it does in a command that a person has typed."""

    def end(number: int, _frame: object) -> NoReturn:
        raise TerminationSignal(number)

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("told_to_end")
@pytest.mark.parametrize("way", [process.run, partial(process.stream, on_line=print), process.attach])
def test_a_command_is_ended_by_an_interrupt_that_comes_while_it_starts(
    way: Callable[[list[str]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment in which a command exists, and whoever started it does not know it yet, loses no process."""
    started: list[int] = []
    execute = subprocess.Popen.__init__

    def interrupted(self: subprocess.Popen[bytes], *args: Any, **options: Any) -> None:
        execute(self, *args, **options)
        started.append(self.pid)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with pytest.raises(TerminationSignal):
        way(["sleep", "60"])

    assert not Path(f"/proc/{started[0]}").exists()


@pytest.mark.parametrize(("end", "status"), [("exit 0", 0), ("exit 1", 130), ("kill -INT $$", 130)])
def test_ctrl_c_is_left_to_an_attached_command(end: str, status: int) -> None:
    """A command may survive Ctrl-C; one that fails after it was interrupted, whatever its own status is."""
    script = f"kill -INT {os.getpid()}; sleep 0.1; {end}"

    assert process.attach(["sh", "-c", script]) == status


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    """The status of an attached command that a signal ended is 128 plus the signal."""
    assert process.attach(["sh", "-c", "kill -TERM $$"]) == 143


def test_an_ignored_ctrl_c_stays_ignored_by_an_attached_command() -> None:
    """A command that is attached while Ctrl-C is ignored ignores it, too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert process.attach(["sh", "-c", "kill -INT $$; exit 5"]) == 5
    finally:
        signal.signal(signal.SIGINT, before)


def end_this_process_after(note: Path) -> None:
    """Send this process SIGTERM once a file is there."""
    deadline = time.monotonic() + 10
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
