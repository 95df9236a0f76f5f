"""Key material that the tool makes for an instance: SSH keys, munge key, tokens.

It is kept in files of mode 0600 in a folder of mode 0700, so that a second `up` uses the same, and reaches containers
in seeded volumes only.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hubpod.errors import SettingsError
from hubpod.settings.ssh_keys import public_line
from hubpod.system.private_files import private_directory, write_private

MUNGE_KEY_BYTES = 128
"""munge accepts 32 to 1024 bytes; its own mungekey makes 128 (munge 0.5.16, mungekey(8))."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The key material of one instance; each field is a file of that name.

    Attributes:
        ssh_client_key: The hub's private key, OpenSSH format.
        ssh_host_key: The Slurm container's private host key, OpenSSH format.
        munge_key: The key that Slurm's daemons share.
        proxy_token: With this the hub speaks to the proxy's API.
        crypt_key: The hub encrypts auth_state with it; 32 bytes as hexadecimal digits.
        digest_key: Keys the digests of seeds that become labels.
    """

    ssh_client_key: bytes = field(repr=False)
    ssh_host_key: bytes = field(repr=False)
    munge_key: bytes = field(repr=False)
    proxy_token: bytes = field(repr=False)
    crypt_key: bytes = field(repr=False)
    digest_key: bytes = field(repr=False)

    @property
    def ssh_client_public_key(self) -> bytes:
        """The hub's public key, as a line of authorized_keys without its end."""
        return public_line(self.ssh_client_key)

    @property
    def ssh_host_public_key(self) -> bytes:
        """The Slurm container's public host key, as type and base64."""
        return public_line(self.ssh_host_key)

    def known_hosts(self, host: str) -> bytes:
        """A known_hosts file that pins the host key of one host."""
        return host.encode() + b" " + self.ssh_host_public_key + b"\n"


def load_or_create(folder: Path) -> Credentials:
    """Read the instance's key material; make what is not there yet.

    Raises:
        SettingsError: A file cannot be read, or is not a key.
    """
    private_directory(folder)
    makers: dict[str, Callable[[], bytes]] = {
        "ssh_client_key": _new_ssh_key,
        "ssh_host_key": _new_ssh_key,
        "munge_key": lambda: secrets.token_bytes(MUNGE_KEY_BYTES),
        "proxy_token": lambda: secrets.token_hex(32).encode(),
        "crypt_key": lambda: secrets.token_hex(32).encode(),
        "digest_key": lambda: secrets.token_bytes(32),
    }
    values: dict[str, bytes] = {}
    for each in fields(Credentials):
        path = folder / each.name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror}", remedy=f"remove {folder}") from error
        if not content:
            content = makers[each.name]()
            write_private(path, content)
        values[each.name] = content
    return _checked(Credentials(**values), folder)


def _checked(credentials: Credentials, folder: Path) -> Credentials:
    try:
        _ = credentials.ssh_client_public_key, credentials.ssh_host_public_key
    except ValueError as error:
        raise SettingsError(f"an SSH key in {folder} {error}", remedy=f"remove {folder}") from error
    return credentials


def _new_ssh_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
