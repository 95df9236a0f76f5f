"""The SSH server of a stack's Slurm host, tested with paramiko from the test process.

Two published ports lead to the server. A relay in the network of the hub forwards the first one, so that sshd sees the
hub's address. The second one is sshd's own, and sshd sees an address outside the stack.
"""

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import paramiko
from paramiko import Channel, Ed25519Key, Message, PKey, Transport
from paramiko.common import cMSG_CHANNEL_REQUEST

from hubpod.components import slurm
from hubpod.settings.credentials import Credentials
from hubpod.system.process import Result

USER = "jupyterspawner"
SSHD_PORT = 22
RELAY_PORT = 2022
"""The port of the relay inside the network of the hub."""

RELAY = ("socat", f"TCP-LISTEN:{RELAY_PORT},fork,reuseaddr")
TIMEOUT_S = 20.0


def relay_command(hostname: str) -> tuple[str, ...]:
    """Return the command of the relay, a container that forwards connections to sshd.

    The container shares the network of the hub.
    """
    return (*RELAY, f"TCP:{hostname}:{SSHD_PORT}")


class SshLogin:
    """An authenticated connection.

    Args:
        transport: The connection, after a successful login.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def run(self, command: str, *, stdin: bytes = b"") -> Result:
        """Run one command and return its result, which is not checked."""
        return self._run(command, lambda channel: channel.exec_command(command), stdin)

    def shell(self, stdin: bytes = b"") -> Result:
        """Request a shell without a terminal, and return its result."""
        return self._run("", Channel.invoke_shell, stdin)

    def rejects(self, request: Callable[[Channel], object]) -> bool:
        """Return whether sshd rejects a request on a new session and keeps the connection open."""
        with self._transport.open_session(timeout=TIMEOUT_S) as channel:
            channel.settimeout(TIMEOUT_S)
            try:
                request(channel)
            except paramiko.SSHException:
                return self._transport.is_active()
        return False

    def open_sftp(self) -> paramiko.SFTPClient | None:
        """Start sftp.

        Raises:
            SSHException: The server refuses.
        """
        return paramiko.SFTPClient.from_transport(self._transport)

    def open_forwarding(self, host: str, port: int) -> Channel:
        """Open a connection from the server's network, as ``ssh -W HOST:PORT`` does.

        Raises:
            ChannelException: The server refuses.
        """
        return self._transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=TIMEOUT_S)

    def request_reverse_forwarding(self, host: str, port: int) -> int:
        """Let the server listen on a port, as ``ssh -R`` does.

        Raises:
            SSHException: The server refuses.
        """
        return self._transport.request_port_forward(host, port)

    def _run(self, command: str, begin: Callable[[Channel], object], stdin: bytes) -> Result:
        with self._transport.open_session(timeout=TIMEOUT_S) as channel:
            channel.settimeout(TIMEOUT_S)
            begin(channel)
            channel.sendall(stdin)
            channel.shutdown_write()
            stdout, stderr = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
            status = channel.recv_exit_status()
        return Result(argv=(command,), returncode=status, stdout=stdout.decode(), stderr=stderr.decode())


@dataclass(frozen=True, kw_only=True)
class SshServer:
    """The SSH server of a stack, with the keys that the hub uses.

    Attributes:
        port: The published port whose connections have the hub's address.
        outside_port: The published port whose connections have an address outside the stack.
        host_key: The public key that the hub pins.
        client_key: The hub's private key.
    """

    port: int
    outside_port: int
    host_key: PKey = field(repr=False)
    client_key: PKey = field(repr=False)

    @contextmanager
    def connect(self, *, from_hub: bool = True, host_key: PKey | None = None) -> Iterator[Transport]:
        """Connect and verify the host key, without a login.

        Args:
            from_hub: Whether sshd sees the hub's address.
            host_key: The key that the server must prove to own; the pinned one when None.

        Raises:
            SSHException: The server has another key.
        """
        address = ("127.0.0.1", self.port if from_hub else self.outside_port)
        transport = Transport(socket.create_connection(address, TIMEOUT_S))
        try:
            transport.connect(hostkey=host_key or self.host_key)
            yield transport
        finally:
            transport.close()

    @contextmanager
    def login(self, *, user: str = USER, key: PKey | None = None, from_hub: bool = True) -> Iterator[SshLogin]:
        """Log in with a key.

        Args:
            user: The account on the Slurm host.
            key: A private key; the hub's when None.
            from_hub: Whether sshd sees the hub's address.

        Raises:
            AuthenticationException: The server refuses the login.
        """
        with self.connect(from_hub=from_hub) as transport:
            transport.auth_publickey(user, key or self.client_key)
            yield SshLogin(transport)


def ssh_server(credentials: Credentials, *, port: int, outside_port: int) -> SshServer:
    """Return the server of a stack, with the keys from the stack's credentials."""
    return SshServer(
        port=port,
        outside_port=outside_port,
        host_key=_load_key(credentials[slurm.HOST_KEY]),
        client_key=_load_key(credentials[slurm.CLIENT_KEY]),
    )


def request_agent_forwarding(channel: Channel) -> None:
    """Request agent forwarding and wait for the reply.

    `Channel.request_forward_agent` does not request a reply.

    Raises:
        SSHException: The server refuses.
    """
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("auth-agent-req@openssh.com")
    message.add_boolean(True)  # noqa: FBT003 - paramiko's signature
    private: Any = channel  # paramiko has no public method that sends a request and waits for the reply
    private._event_pending()  # noqa: SLF001
    private.transport._send_user_message(message)  # noqa: SLF001
    private._wait_for_event()  # noqa: SLF001


def _load_key(text: bytes) -> PKey:
    return Ed25519Key.from_private_key(io.StringIO(text.decode()))
