"""Find free ports of this machine, and reserve them against other hubpod commands."""

import socket
from collections.abc import Collection

from hubpod.errors import MachineError

FIRST_PORT = 8000
LAST_PORT = 8999
_reservations: dict[int, socket.socket] = {}


def choose_port(excluded: Collection[int] = ()) -> int:
    """Reserve the first free port of the loopback address from 8000 upwards.

    Args:
        excluded: Ports that are not chosen.

    Raises:
        MachineError: All ports up to 8999 are taken.
    """
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if port not in excluded and reserve_port(port):
            return port
    raise MachineError(f"no port between {FIRST_PORT} and {LAST_PORT} is free", remedy="give another one with --port")


def reserve_port(port: int) -> bool:
    """Reserve a free port until this process ends, and return whether this process has it reserved."""
    return port_is_free(port) and (port in _reservations or _reserve(port))


def _reserve(port: int) -> bool:
    # A pod binds its port seconds after the choice. A second pod that then finds the port taken removes netavark's
    # rules, which name the port alone, and so cuts off the first pod. An abstract socket has no file and disappears
    # with its process (unix(7)).
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mark.bind(f"\0hubpod-port-{port}")
    except OSError:
        mark.close()
        return False
    _reservations[port] = mark
    return True


def port_is_free(port: int) -> bool:
    """Return whether no server listens on a port of the loopback address."""
    try:
        require_bindable("127.0.0.1", port)
    except OSError:
        return False
    return True


def require_bindable(address: str, port: int) -> None:
    """Check that a server could listen at an IP address and port of this machine.

    Raises:
        OSError: It could not; ``errno`` says why.
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
