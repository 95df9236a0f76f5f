"""Run commands. No other module imports subprocess.

Commands are argument lists, never shell strings. Secrets travel on standard input.
"""

import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from hubpod.errors import HubpodError, MachineError
from hubpod.system.interrupts import DeferredSignals

Process = subprocess.Popen[bytes]

TERMINATE_GRACE_S = 5.0
LAST_LINES = 20
SIGNAL_EXIT_BASE = 128
"""The exit status that a shell reports for a command killed by signal N is 128 + N."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Exit status and output of a command.

    Attributes:
        argv: Program and arguments.
        returncode: Exit status; the negative number of a signal that killed the command.
        stdout: Standard output, decoded as UTF-8.
        stderr: Standard error, decoded as UTF-8.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str = ""
    stderr: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the command exited with status 0."""
        return self.returncode == 0

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of standard error, or of standard output if standard error is empty."""
        text = self.stderr.strip() or self.stdout.strip()
        return tuple(text.splitlines()[-LAST_LINES:])


class CommandError(HubpodError):
    """A command failed that was expected to succeed."""

    def __init__(self, result: Result) -> None:
        super().__init__(
            f"`{shlex.join(result.argv)}` exited with status {result.returncode}",
            detail=result.last_lines,
        )
        self.add_note("\n".join(result.last_lines))  # shown with a traceback, in tests and tools
        self.result = result


def run(  # noqa: PLR0913 - each is an independent aspect of one process
    argv: Sequence[str],
    *,
    stdin: bytes | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    check: bool = True,
    timeout_s: float | None = None,
    merged: bool = False,
) -> Result:
    """Run a command and capture its output.

    Args:
        argv: Program and arguments.
        stdin: Bytes or an open file for standard input; empty when None.
        env: The whole environment of the command; this process's own when None.
        cwd: Working directory.
        check: Raise if the exit status is not 0.
        timeout_s: Seconds after which the command is killed.
        merged: Capture standard error in standard output, in the order in which the command writes.

    Raises:
        MachineError: The program is not installed.
        CommandError: The command failed and check is true, or it took longer than timeout_s.
    """
    errors = subprocess.STDOUT if merged else subprocess.PIPE
    with _run_with_pipes(argv, stdin=stdin, env=env, cwd=cwd, stderr=errors) as process:
        try:
            out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err = (err or b"") + f"\nkilled after {timeout_s:.0f} s".encode()
            raise CommandError(_result(argv, -9, out, err)) from None
    result = _result(argv, process.returncode, out, err)
    if check and not result.ok:
        raise CommandError(result)
    return result


def stream(
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Result:
    """Run a command, and pass each line of stdout and stderr to `on_line` as it arrives.

    Returns:
        The result, with the last lines of the output as stdout. The exit status is not checked.

    Raises:
        MachineError: The program is not installed.
    """
    tail: deque[str] = deque(maxlen=10 * LAST_LINES)
    with _run_with_pipes(argv, stdin=None, env=env, cwd=cwd, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            tail.append(line)
            on_line(line)
        process.wait()
    return Result(argv=tuple(argv), returncode=process.returncode, stdout="\n".join(tail))


def attach(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a command on this process's standard streams, and return its exit status as in a shell.

    Ctrl-C is left to the command, which gets the signal itself because it shares the terminal.

    Raises:
        MachineError: The program is not installed.
        TerminationSignal: This process received a termination signal; the command has been terminated.
    """
    interrupts: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    if handler != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        with _run_until_exit(argv, env=env) as process:
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, handler)
    if status and interrupts:
        return SIGNAL_EXIT_BASE + signal.SIGINT  # podman exits with a status of its own after Ctrl-C
    return SIGNAL_EXIT_BASE - status if status < 0 else status


def start(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
    """Start a command in its own session, out of reach of Ctrl-C, for the caller to end.

    Its standard input and output are pipes, so that it notices the end of this process.

    Raises:
        MachineError: The program is not installed.
    """
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True, close_fds=True
        )
    except FileNotFoundError:
        raise _missing_program_error(argv[0]) from None


@contextmanager
def _run_with_pipes(
    argv: Sequence[str],
    *,
    stdin: bytes | IO[bytes] | None,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    stderr: int = subprocess.PIPE,
) -> Iterator[Process]:
    """Run a process with readable output that terminate_all can end from another thread."""
    source = subprocess.PIPE if isinstance(stdin, bytes) else (stdin or subprocess.DEVNULL)
    pipes = {"stdin": source, "stdout": subprocess.PIPE, "stderr": stderr}
    with _run_until_exit(argv, **pipes, env=env, cwd=cwd) as process, _register(process):
        yield process


@contextmanager
def _run_until_exit(argv: Sequence[str], **options: Any) -> Iterator[Process]:  # noqa: ANN401 - as Popen has them
    """Run a process for the block, and end it and wait for it if the block raises."""
    interrupts = DeferredSignals()  # an interrupt inside Popen would leave a process that nothing refers to
    try:
        interrupts.defer()
        process = subprocess.Popen(argv, **options)
    except BaseException as error:
        interrupts.release()
        if isinstance(error, FileNotFoundError):
            raise _missing_program_error(argv[0]) from None
        raise
    with process:
        try:
            interrupts.release()
            yield process
        except BaseException:
            _terminate(process)
            raise


_running: set[Process] = set()
_running_lock = threading.Lock()


@contextmanager
def _register(process: Process) -> Iterator[None]:
    """Register a process, so that an interrupt in the main thread can terminate it."""
    with _running_lock:
        _running.add(process)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(process)


def terminate_all() -> None:
    """Terminate all running commands, in whichever thread they were started."""
    with _running_lock:
        processes = tuple(_running)
    for process in processes:
        process.terminate()


def _terminate(process: Process) -> None:
    process.terminate()
    try:
        process.wait(TERMINATE_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _result(argv: Sequence[str], returncode: int, out: bytes, err: bytes | None) -> Result:
    stdout, stderr = (text.decode(errors="replace") for text in (out, err or b""))
    return Result(argv=tuple(argv), returncode=returncode, stdout=stdout, stderr=stderr)


def _missing_program_error(program: str) -> MachineError:
    return MachineError(f"the program {program} is not installed", remedy="`./run` installs what hubpod needs")
