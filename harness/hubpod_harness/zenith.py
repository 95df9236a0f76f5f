"""A Zenith server as values: a real sshd for the client's tunnel, and a front door that leads through it."""

from collections.abc import Mapping

from hubpod.components.site import CREDENTIALS
from hubpod.environments import Instance
from hubpod.pod import Container, File, Mount, Port, Seed, SeedKind

NAME = "zenith-server"
SSH_PORT = 2222
RELAY_PORT = 8080
SUBDOMAIN = "jupyter"
"""The one subdomain that the front door leads to."""

CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "SETGID", "SETUID", "SYS_CHROOT")
"""CHOWN for the terminal of a session and for the folder of tunnels, AUDIT_WRITE because sshd ends a session that it
cannot report to the kernel, SYS_CHROOT because it separates its privileges."""


def server(
    instance: Instance, *, image: str, keys: Mapping[str, str], host_key: bytes, discovery: bool = True
) -> tuple[Container, Seed]:
    """The server and its credentials.

    Args:
        instance: Whose server it is.
        image: The test kit.
        keys: Subdomain to public key, as type and base64.
        host_key: The server's private host key, OpenSSH format.
        discovery: Whether a tunnel with an issuer is refused when the issuer does not answer.
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
