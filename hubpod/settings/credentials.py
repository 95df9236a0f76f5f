"""Key material that hubpod generates for an instance: SSH keys, the munge key and tokens.

The files of mode 0600 in a directory of mode 0700 outlive the containers, which get their content in seeded volumes.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.errors import SettingsError
from hubpod.system.private_files import private_directory, write_private


def accept(_: bytes) -> None:
    """Accept any content."""


@dataclass(frozen=True, kw_only=True)
class Credential:
    """One piece of key material.

    Attributes:
        name: Name of its file.
        generate: Returns new content.
        check: Raises ValueError for content that is not such key material.
    """

    name: str
    generate: Callable[[], bytes]
    check: Callable[[bytes], object] = accept


DIGEST_KEY = Credential(name="digest_key", generate=lambda: secrets.token_bytes(32))
"""Keys the digests of seeds, which are public as labels."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The key material of one instance.

    Attributes:
        contents: Content by the name of the credential.
    """

    contents: Mapping[str, bytes] = field(repr=False)

    def __getitem__(self, credential: Credential) -> bytes:
        return self.contents[credential.name]

    @property
    def digest_key(self) -> bytes:
        """The key of the digests of seeds."""
        return self[DIGEST_KEY]


def load_or_create(directory: Path, credentials: Iterable[Credential]) -> Credentials:
    """Read an instance's key material, and generate missing files.

    Raises:
        SettingsError: A file cannot be read, or is not the key material that its name promises.
    """
    private_directory(directory)
    return Credentials(contents={each.name: _load_or_create(directory, each) for each in (*credentials, DIGEST_KEY)})


def _load_or_create(directory: Path, credential: Credential) -> bytes:
    path = directory / credential.name
    content = _read(path)
    if not content:
        content = credential.generate()
        write_private(path, content)
    try:
        credential.check(content)
    except ValueError as error:
        raise SettingsError(f"the key in {path} {error}", remedy=f"remove {directory}") from error
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", remedy=f"remove {path.parent}") from error


def new_token() -> bytes:
    """Generate a token of 64 hexadecimal digits."""
    return secrets.token_hex(32).encode()


def new_ssh_key() -> bytes:
    """Generate an Ed25519 private key in OpenSSH format."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow, and help texts need no key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - slow

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def ssh_public_line(private_key: bytes) -> bytes:
    """Return the public key of a private SSH key, as type and base64 without a line end.

    Raises:
        ValueError: The private key is unusable.
    """
    from hubpod.settings.ssh_keys import public_line  # noqa: PLC0415 - slow, and help texts need no key

    return public_line(private_key)
