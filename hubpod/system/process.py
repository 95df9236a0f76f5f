"""Running commands: the only module that imports subprocess.

Commands are argument lists, never shell strings. Secrets go in on standard input.
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
"""A shell tells a command that a signal ended by this plus the signal's number."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a command ended.

    Attributes:
        argv: The command as it was run.
        returncode: Its exit status; negative for a signal, as subprocess has it.
        stdout: What it wrote to standard output, decoded as UTF-8.
        stderr: What it wrote to standard error, decoded as UTF-8.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str = ""
    stderr: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.returncode == 0

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of standard error, or of standard output when there were none."""
        text = self.stderr.strip() or self.stdout.strip()
        return tuple(text.splitlines()[-LAST_LINES:])


class CommandError(HubpodError):
    """A command that should have succeeded did not."""

    def __init__(self, result: Result) -> None:
        super().__init__(
            f"`{shlex.join(result.argv)}` ended with status {result.returncode}",
            detail=result.last_lines,
        )
        self.add_note("\n".join(result.last_lines))  # for those who see a traceback: tests and tools
        self.result = result


def run(  # noqa: PLR0913 - each is an independent aspect of one process
    argv: Sequence[str],
    *,
    stdin: bytes | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    check: bool = True,
    timeout_s: float | None = None,
) -> Result:
    """Run a command to its end and capture what it writes.

    Args:
        argv: Program and arguments.
        stdin: Bytes or an open file to feed to standard input; nothing when None.
        env: The whole environment of the command; this process's own when None.
        cwd: Folder to run it in.
        check: Raise when the status is not 0.
        timeout_s: Seconds after which the command is ended.

    Raises:
        MachineError: The program does not exist.
        CommandError: The command failed and check is true, or it took longer than timeout_s.
    """
    with _started(argv, stdin=stdin, env=env, cwd=cwd) as process:
        try:
            out, err = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\nended after {timeout_s:.0f} s without an answer".encode()
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
    """Run a command and hand on each line it writes, standard error included, as it comes.

    Returns:
        The result, with the last lines of the output as stdout. It is not checked.

    Raises:
        MachineError: The program does not exist.
    """
    tail: deque[str] = deque(maxlen=10 * LAST_LINES)
    with _started(argv, stdin=None, env=env, cwd=cwd, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None  # noqa: S101 - told to the type checker: a pipe was asked for
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            tail.append(line)
            on_line(line)
        process.wait()
    return Result(argv=tuple(argv), returncode=process.returncode, stdout="\n".join(tail))


def attach(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a command on this process's own standard input and output, and return its status as a shell would.

    Ctrl-C is the command's to answer: it shares the terminal, and gets the signal itself.

    Raises:
        MachineError: The program does not exist.
        TerminationSignal: This process was told to end; the command has been ended.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with _owned(argv, env=env) as process:
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if status and pressed:
        return SIGNAL_EXIT_BASE + signal.SIGINT  # podman answers Ctrl-C with a status of its own
    return SIGNAL_EXIT_BASE - status if status < 0 else status


def start(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
    """Start a command in a session of its own, which no Ctrl-C reaches; it goes on until whoever asked ends it.

    Its standard input and output are pipes, so that it can notice the end of this process.

    Raises:
        MachineError: The program does not exist.
    """
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, start_new_session=True, close_fds=True
        )
    except FileNotFoundError:
        raise _missing(argv[0]) from None


@contextmanager
def _started(
    argv: Sequence[str],
    *,
    stdin: bytes | IO[bytes] | None,
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    stderr: int = subprocess.PIPE,
) -> Iterator[Process]:
    """A process whose output can be read, and that an interrupt in the main thread can end with terminate_all."""
    source = subprocess.PIPE if isinstance(stdin, bytes) else (stdin or subprocess.DEVNULL)
    pipes = {"stdin": source, "stdout": subprocess.PIPE, "stderr": stderr}
    with _owned(argv, **pipes, env=env, cwd=cwd) as process, _registered(process):
        yield process


@contextmanager
def _owned(argv: Sequence[str], **options: Any) -> Iterator[Process]:  # noqa: ANN401 - as Popen has them
    """A process that is ended, and waited for, when the block is left in any other way than by its end."""
    interrupts = DeferredSignals()  # while it starts nobody knows it yet, so nobody could end it
    try:
        interrupts.defer()
        process = subprocess.Popen(argv, **options)
    except BaseException as error:
        interrupts.release()
        if isinstance(error, FileNotFoundError):
            raise _missing(argv[0]) from None
        raise
    with process:
        try:
            interrupts.release()
            yield process
        except BaseException:
            _end(process)
            raise


_running: set[Process] = set()
_running_lock = threading.Lock()


@contextmanager
def _registered(process: Process) -> Iterator[None]:
    """Know the process while it runs, so that an interrupt in the main thread can end those of its workers."""
    with _running_lock:
        _running.add(process)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(process)


def terminate_all() -> None:
    """End every command that still runs, in whichever thread it was started."""
    with _running_lock:
        processes = tuple(_running)
    for process in processes:
        process.terminate()


def _end(process: Process) -> None:
    process.terminate()
    try:
        process.wait(TERMINATE_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _result(argv: Sequence[str], returncode: int, out: bytes, err: bytes) -> Result:
    return Result(
        argv=tuple(argv),
        returncode=returncode,
        stdout=out.decode(errors="replace"),
        stderr=err.decode(errors="replace"),
    )


def _missing(program: str) -> MachineError:
    return MachineError(f"the program {program} is not installed", remedy="`./run` installs what hubpod needs")
