"""Locks between processes of one user of this machine."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hubpod.errors import MachineError
from hubpod.system.private_files import private_directory, user_directory

LOCK_TIMEOUT_S = 900.0
LOCK_INTERVAL_S = 0.1


def user_lock(name: str) -> Path:
    """Return the path of a lock that all checkouts of this user share, as they share podman's objects."""
    return private_directory(user_directory() / "locks") / name


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock until the block ends.

    The kernel frees the lock when the process ends, however it ends.

    Args:
        path: The lock's file, in an existing directory.
        on_wait: Called with a sentence if another command holds the lock.

    Raises:
        MachineError: Another command holds the lock for LOCK_TIMEOUT_S seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, on_wait)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    is_waiting = False
    while not try_to_lock(descriptor):
        if time.monotonic() > deadline:
            raise MachineError(
                f"another hubpod command has held {path} for {LOCK_TIMEOUT_S:.0f} s", remedy="end that command"
            )
        if not is_waiting:
            on_wait(f"waiting for another hubpod command that works on {path.name}")
            is_waiting = True
        time.sleep(LOCK_INTERVAL_S)


def try_to_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return whether no other process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
