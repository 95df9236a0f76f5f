"""Connections of a stack that a test may disturb."""

from collections.abc import Callable, Sequence

from hubpod.system.process import CommandError, Result

PORTS = {"ssh": 22, "hub api": 8081, "issuer": 9000}
"""Ports of a hub's connections: to the Slurm host, from servers and proxy to the hub, to the issuer."""


class Link:
    """All connections to one port. A disturbance lasts until `restore`.

    Args:
        execute: Runs a command in the container that owns the network.
        address: Destination address, 127.0.0.1 for the hub itself.
        port: Destination TCP port.
    """

    def __init__(self, execute: Callable[[Sequence[str]], Result], *, address: str, port: int) -> None:
        self._execute = execute
        self._address = address
        self._port = port

    def cut(self) -> None:
        """Drop all packets, as a firewall does: open connections hang, new ones time out."""
        self._do("cut")

    def reset(self) -> None:
        """Reset all connections, open and new ones."""
        self._do("reset")

    def delay(self, seconds: float) -> None:
        """Delay each new connection by some seconds, and reset the open ones."""
        self._do("delay", f"{seconds:g}")

    def truncate(self, size: int) -> None:
        """Close each new connection after that many bytes of its response, and reset the open ones."""
        self._do("truncate", str(size))

    def restore(self) -> None:
        """Remove the disturbance, if there is one."""
        self._do("restore")

    def _do(self, verb: str, *value: str) -> None:
        result = self._execute(["hubpod-link", verb, self._address, str(self._port), *value])
        if not result.ok:
            raise CommandError(result)
