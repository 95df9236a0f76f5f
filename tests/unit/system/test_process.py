"""Output, errors and interrupts of commands."""

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


def test_command_error_has_status_and_last_lines() -> None:
    """The error of a failed command has its exit status and its standard error."""
    with pytest.raises(CommandError, match="exited with status 3") as caught:
        process.run([sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])

    assert caught.value.detail == ("why",)


def test_missing_program_is_a_machine_error() -> None:
    """A program that is not installed is reported by name."""
    with pytest.raises(MachineError, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_timeout_kills_the_command() -> None:
    """A command that exceeds its timeout is killed, and the error says so."""
    with pytest.raises(CommandError) as caught:
        process.run(["sleep", "60"], timeout_s=0.2)

    assert "killed after 0 s" in caught.value.detail[-1]


def test_standard_input_is_passed_unchanged() -> None:
    """Bytes, such as a secret, reach the command's standard input unchanged."""
    assert process.run(["cat"], stdin=b"\x00secret\n").stdout == "\x00secret\n"


def test_stream_passes_lines_of_both_outputs_in_order() -> None:
    """Lines of standard output and standard error arrive in order.

    The result has the last ones.
    """
    lines: list[str] = []

    result = process.stream(["sh", "-c", "echo a; echo b >&2; exit 4"], on_line=lines.append)

    assert lines == ["a", "b"]
    assert (result.returncode, result.last_lines) == (4, ("a", "b"))


def test_interrupt_ends_the_command() -> None:
    """Ctrl-C leaves no process behind."""
    started: list[int] = []

    def on_line(line: str) -> None:
        started.append(int(line))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        process.stream(["sh", "-c", "echo $$; exec sleep 60"], on_line=on_line)

    assert not Path(f"/proc/{started[0]}").exists()


def test_terminate_all_ends_commands_of_other_threads() -> None:
    """When one of two builds fails, the other one is terminated."""
    running = threading.Event()
    results: list[process.Result] = []

    def work() -> None:
        argv = ["sh", "-c", "echo running; exec sleep 60"]
        results.append(process.stream(argv, on_line=lambda _: running.set()))

    thread = threading.Thread(target=work)
    thread.start()
    running.wait(10)
    process.terminate_all()
    thread.join(10)

    assert results[0].returncode == -signal.SIGTERM


@pytest.fixture
def raise_on_sigterm() -> Iterator[None]:
    """Raise TerminationSignal on SIGTERM, as the command line does."""

    def handle(number: int, _frame: object) -> NoReturn:
        raise TerminationSignal(number)

    before = signal.signal(signal.SIGTERM, handle)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("raise_on_sigterm")
def test_sigterm_ends_an_attached_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal to this process alone, such as SIGTERM, ends the attached command."""
    monkeypatch.chdir(tmp_path)
    pid_file = tmp_path / "pid"
    thread = threading.Thread(target=send_sigterm_after, args=(pid_file,))
    thread.start()
    try:
        with pytest.raises(TerminationSignal) as caught:
            process.attach(["sh", "-c", "echo $$ >new; mv new pid; exec sleep 60"])
    finally:
        thread.join()

    assert caught.value.number == signal.SIGTERM
    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()


@pytest.mark.usefixtures("raise_on_sigterm")
@pytest.mark.parametrize("run", [process.run, partial(process.stream, on_line=print), process.attach])
def test_signal_during_start_ends_the_command(
    run: Callable[[list[str]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal inside Popen leaves no process behind.

    The caller has no reference to the process at that moment.
    """
    started: list[int] = []
    original = subprocess.Popen.__init__

    def raise_signal_after_start(self: subprocess.Popen[bytes], *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        started.append(self.pid)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess.Popen, "__init__", raise_signal_after_start)
    with pytest.raises(TerminationSignal):
        run(["sleep", "60"])

    assert not Path(f"/proc/{started[0]}").exists()


@pytest.mark.parametrize(("end", "status"), [("exit 0", 0), ("exit 1", 130), ("kill -INT $$", 130)])
def test_attached_command_handles_ctrl_c(end: str, status: int) -> None:
    """A command may survive Ctrl-C, and its failure after Ctrl-C has status 130."""
    script = f"kill -INT {os.getpid()}; sleep 0.1; {end}"

    assert process.attach(["sh", "-c", script]) == status


def test_status_of_a_killed_command_is_that_of_a_shell() -> None:
    """The status of an attached command killed by a signal is 128 plus the signal's number."""
    assert process.attach(["sh", "-c", "kill -TERM $$"]) == 143


def test_attached_command_inherits_ignored_ctrl_c() -> None:
    """A command that is attached while Ctrl-C is ignored ignores it too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert process.attach(["sh", "-c", "kill -INT $$; exit 5"]) == 5
    finally:
        signal.signal(signal.SIGINT, before)


def send_sigterm_after(pid_file: Path) -> None:
    """Send this process SIGTERM once a file exists."""
    deadline = time.monotonic() + 10
    while not pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


def test_merged_output_is_in_order() -> None:
    """Standard error is captured between the lines of standard output where the command wrote it."""
    result = process.run(["sh", "-c", "echo a; echo b >&2; echo c; echo d >&2"], merged=True)

    assert (result.stdout, result.stderr) == ("a\nb\nc\nd\n", "")
