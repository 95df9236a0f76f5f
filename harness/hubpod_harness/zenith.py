"""A Zenith server: a real sshd for the client's tunnel, and a front door behind it."""

from collections.abc import Mapping

from hubpod.components.site import CREDENTIALS
from hubpod.instances import Instance
from hubpod.pod import Container, File, Mount, Port, Seed, SeedKind

NAME = "zenith-server"
SSH_PORT = 2222
RELAY_PORT = 8080
SUBDOMAIN = "jupyter"
"""The subdomain that the front door serves."""

CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "SETGID", "SETUID", "SYS_CHROOT")
"""CHOWN for the terminal of a session and the directory of tunnels, AUDIT_WRITE because sshd ends a session that it
cannot report to the kernel, SYS_CHROOT because sshd separates its privileges."""


def server(
    instance: Instance, *, image: str, keys: Mapping[str, str], host_key: bytes, discovery: bool = True
) -> tuple[Container, Seed]:
    """Return the server and its credentials.

    Args:
        instance: The instance that it belongs to.
        image: The image of the test kit.
        keys: Public keys as type and base64, by subdomain.
        host_key: The server's private host key, OpenSSH format.
        discovery: Whether a tunnel with an issuer is refused while the issuer does not respond.
    """
    volume = instance.volume("zenith-server-credentials")
    container = Container(
        name=NAME,
        image=image,
        args=("zenith-sshd", "serve", f"--discovery={'check' if discovery else 'skip'}"),
        mounts=(Mount(volume=volume, path=CREDENTIALS, read_only=True),),
        tmpfs=("/run", "/tmp"),  # noqa: S108 - paths inside the container
        ports=(Port(container=RELAY_PORT, host=0),),
        capabilities=CAPABILITIES,
    )
    lines = (" ".join((subdomain, *key.split()[:2])) + "\n" for subdomain, key in keys.items())
    files = (
        File(path="ssh_host_ed25519_key", content=host_key, mode=0o600),
        File(path="zenith_keys", content="".join(lines).encode()),
    )
    return container, Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files)
