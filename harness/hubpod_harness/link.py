"""The connections of a stack that a test may disturb."""

from collections.abc import Callable, Sequence

from hubpod.system.process import CommandError, Result

PORTS = {"ssh": 22, "hub api": 8081, "issuer": 9000}
"""The connections of a hub: to the Slurm host, from the users' servers and the proxy to it, to the issuer."""


class Link:
    """All connections to one port; what was done to it holds until it is restored.

    Args:
        execute: Runs a command in the container that owns the network.
        address: Where the connections lead.
        port: To which TCP port.
    """

    def __init__(self, execute: Callable[[Sequence[str]], Result], *, address: str, port: int) -> None:
        self._execute = execute
        self._address = address
        self._port = port

    def cut(self) -> None:
        """Let all packets vanish, as a firewall does: open connections hang, new ones are never made."""
        self._do("cut")

    def reset(self) -> None:
        """Reset all connections, open and new ones."""
        self._do("reset")

    def delay(self, seconds: float) -> None:
        """Make each new connection that much later; open ones are reset."""
        self._do("delay", f"{seconds:g}")

    def truncate(self, size: int) -> None:
        """End each new connection after that many bytes of its answer; open ones are reset."""
        self._do("truncate", str(size))

    def restore(self) -> None:
        """Let everything through again; nothing happens where nothing was disturbed."""
        self._do("restore")

    def _do(self, verb: str, *value: str) -> None:
        result = self._execute(["hubpod-link", verb, self._address, str(self._port), *value])
        if not result.ok:
            raise CommandError(result)
