"""Where hubpod keeps what it must remember between commands, and how two commands keep out of each other's way."""

import fcntl
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hubpod.environments import Instance
from hubpod.errors import MachineError
from hubpod.system.private_files import private_directory

LOCK_TIMEOUT_S = 900.0
LOCK_INTERVAL_S = 0.1
FIRST_PORT = 8000
LAST_PORT = 8999
_CHOSEN: dict[int, socket.socket] = {}
STATE = ".hubpod"


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checkout of the project and the private folder ``.hubpod`` in it."""

    project: Path

    @property
    def state(self) -> Path:
        """The private folder of this checkout."""
        return self.project / STATE

    def folder(self, instance: Instance) -> Path:
        """What belongs to one instance: credentials, and the deploy ConfigMap unless it is elsewhere."""
        return self.state / instance.environment.name / instance.name

    def credentials(self, instance: Instance) -> Path:
        """Where the key material is that was made for an instance."""
        return self.folder(instance) / "credentials"

    @property
    def scratch(self) -> Path:
        """Where a build keeps what it needs while it runs; only whoever holds the lock "build" may touch it."""
        return self.state / "scratch"

    @contextmanager
    def lock(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Be the only command of this checkout that works on something, until the block ends.

        The kernel frees the lock when the process ends, however it ends.

        Raises:
            MachineError: Another command does not come to an end.
        """
        private_directory(self.state)
        path = private_directory(self.state / "locks") / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _acquire(descriptor, path, on_wait)
            yield
        finally:
            os.close(descriptor)


def _acquire(descriptor: int, path: Path, on_wait: Callable[[str], None]) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"another hubpod command has held {path} for {LOCK_TIMEOUT_S:.0f} s", remedy="end that command"
                ) from None
            if not told:
                on_wait(f"waiting for another hubpod command that works on {path.name}")
                told = True
            time.sleep(LOCK_INTERVAL_S)
        else:
            return


def choose_port(but: Collection[int] = ()) -> int:
    """A free port on the loopback address, from 8000 upwards, and none of those; nobody else chooses it meanwhile.

    Raises:
        MachineError: All are taken.
    """
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if port not in but and port_is_ours(port):
            return port
    raise MachineError(f"no port between {FIRST_PORT} and {LAST_PORT} is free", remedy="give another one with --port")


def port_is_ours(port: int) -> bool:
    """Whether a port is free, and no other command has chosen it; from then on until this process ends it is ours."""
    return port_is_free(port) and (port in _CHOSEN or _choose(port))


def _choose(port: int) -> bool:
    # A pod takes its port seconds later. One that finds it taken then removes the rules by which the other is reached:
    # those of netavark name the port alone. A name of this kind has no file, and goes with its process (unix(7)).
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mark.bind(f"\0hubpod-port-{port}")
    except OSError:
        mark.close()
        return False
    _CHOSEN[port] = mark
    return True


def port_is_free(port: int) -> bool:
    """Whether nothing listens on a port of the loopback address."""
    try:
        require_bindable("127.0.0.1", port)
    except OSError:
        return False
    return True


def require_bindable(address: str, port: int) -> None:
    """See that a server could listen at an IP address of this machine.

    Raises:
        OSError: It could not; its ``errno`` says why.
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
