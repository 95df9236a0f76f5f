"""Find and kill processes that outlived the command that started them, by reading /proc.

Without /proc, as on macOS, containers run in a virtual machine and leave no processes here.
"""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def kill_processes_with_mount(directory: Path) -> None:
    """Kill every process with a mount of the directory.

    An example is a step of an image build that has ended.

    The main process of a step is among them, and its child processes end with it.
    """
    # mountinfo has paths relative to the root of a file system, so only the last two parts are compared. The first of
    # them has a random name, so they are unique.
    mount = f"/{directory.parent.name}/{directory.name} /".encode()
    _kill("mountinfo", lambda table: mount in table)


def kill_processes_with_variable(name: str, value: str, *, spare: int = 0) -> int:
    """Kill every process with a value of an environment variable, except this one and `spare`.

    Args:
        name: Name of the variable.
        value: Its value.
        spare: Id of another process to spare.

    Returns:
        The number of killed processes.
    """
    entry = f"{name}={value}".encode()
    return _kill("environ", lambda environment: entry in environment.split(b"\0"), spared={os.getpid(), spare})


def _kill(file: str, is_stray: Callable[[bytes], bool], *, spared: Collection[int] = ()) -> int:
    """Kill the processes for which a file below /proc/PID matches, and return their number."""
    killed = 0
    for path in PROC.glob(f"[0-9]*/{file}"):
        pid = int(path.parent.name)
        try:
            matches = pid not in spared and is_stray(path.read_bytes())
        except OSError:
            continue  # the process has ended, or belongs to another user
        if matches:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed
