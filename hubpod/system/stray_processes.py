"""Processes that outlived the command which started them: finding them in /proc, and ending them.

Where there is no /proc, as on macOS, containers run in a virtual machine, and there is nothing to find.
"""

import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def kill_processes_with_mount(folder: Path) -> None:
    """Kill every process that sees a folder of ours mounted: the steps of a build that has ended.

    Their own main process is among them, and whatever they started ends with it.
    """
    # The table has paths from the root of a file system; its last two parts are ours alone, as the first is random.
    mounted = f"/{folder.parent.name}/{folder.name} /".encode()
    _kill("mountinfo", lambda table: mounted in table)


def kill_processes_with_variable(name: str, value: str, *, spare: int = 0) -> int:
    """Kill every process that was started with an environment variable, but this one and one other.

    Returns:
        How many there were.
    """
    entry = f"{name}={value}".encode()
    return _kill("environ", lambda environment: entry in environment.split(b"\0"), spared={os.getpid(), spare})


def _kill(file: str, ours: Callable[[bytes], bool], *, spared: Collection[int] = ()) -> int:
    killed = 0
    for path in PROC.glob(f"[0-9]*/{file}"):
        pid = int(path.parent.name)
        try:
            matches = pid not in spared and ours(path.read_bytes())
        except OSError:
            continue  # it has ended, or is another user's
        if matches:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed
