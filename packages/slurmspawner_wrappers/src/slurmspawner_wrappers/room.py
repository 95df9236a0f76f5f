"""Room in a home directory, found out without a trace in it."""

from __future__ import annotations

import contextlib
import os

ROOM_BYTES = 256 * 1024
"""Written to the home directory: more than the files that a server writes before it listens."""


def write_to_home(home: str) -> None:
    """Write a file to the home directory, and leave nothing of it, not even another modification time.

    Raises:
        OSError: The account cannot create the file, or has no room for it.
    """
    try:
        file = os.open(home, os.O_WRONLY | os.O_TMPFILE, 0o600)  # has no name, so that the directory does not change
    except OSError:  # a file system without such files, as NFS and Lustre are, or a real problem
        _write_named_file(home)
        return
    try:
        _fill(file)
    finally:
        os.close(file)


def _write_named_file(home: str) -> None:
    before = os.stat(home)  # noqa: PTH116 - as short as the other calls
    path = os.path.join(home, f".slurmspawner-check-{os.getpid()}")  # noqa: PTH118
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    created = os.stat(home)  # noqa: PTH116
    try:
        _fill(file)
    finally:
        os.close(file)
        is_ours = os.stat(home).st_mtime_ns == created.st_mtime_ns  # noqa: PTH116 - others' changes keep their time
        os.unlink(path)  # noqa: PTH108
        if is_ours:
            with contextlib.suppress(OSError):  # the home of another owner
                os.utime(home, ns=(before.st_atime_ns, before.st_mtime_ns))


def _fill(file: int) -> None:
    left = ROOM_BYTES
    while left:
        left -= os.write(file, bytes(left))
    os.fsync(file)  # a quota may be checked only now
