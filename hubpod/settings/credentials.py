"""Key material that hubpod generates for an instance: SSH keys, the munge key and tokens.

The files of mode 0600 in a directory of mode 0700 outlive the containers, which get their content in seeded volumes.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from hubpod.settings.problems import Problem, UnreadableError, report
from hubpod.settings.yaml_files import read_file
from hubpod.system.private_files import private_directory, write_private

RESTORE_DOC = "docs/data.md"
KEY_BYTES = 32


def accept(_: bytes) -> None:
    """Accept any content."""


def check_token(content: bytes) -> None:
    """Require the text of a token or password.

    Raises:
        ValueError: It is too short, or has a character that a variable or header cannot have.
    """
    if not re.fullmatch(rb"[!-~]{64,1024}", content):
        raise ValueError("is not a token: 64 or more printable ASCII characters on one line")


def check_crypt_key(content: bytes) -> None:
    """Require keys as JupyterHub takes them: 32 bytes in hexadecimal digits or base64, a semicolon between two keys.

    Raises:
        ValueError: JupyterHub would refuse to start.
    """
    for key in content.split(b";"):
        if re.fullmatch(rb"[0-9a-fA-F]{64}", key):
            continue
        try:
            size = len(base64.b64decode(key, validate=True))
        except binascii.Error:
            size = 0
        if size != KEY_BYTES:
            raise ValueError("is not a key of 32 bytes in hexadecimal digits or base64")


def check_size(size: int) -> Callable[[bytes], None]:
    """Return a check of a binary key's size in bytes, by which truncated content is found."""

    def check(content: bytes) -> None:
        if len(content) != size:
            raise ValueError(f"has {len(content)} bytes, and the key has {size}")

    return check


@dataclass(frozen=True, kw_only=True)
class Credential:
    """One piece of key material.

    Attributes:
        name: Name of its file.
        generate: Returns new content.
        check: Raises ValueError, with the end of a sentence about the file, for content that is not such key material.
        normalize: Returns the usual form of content, for example without an editor's line end.
        protects: Part of the name of the data volume that is encrypted with it; empty if other content does as well.
        protects_what: What is encrypted in that volume.
    """

    name: str
    generate: Callable[[], bytes]
    check: Callable[[bytes], object] = accept
    normalize: Callable[[bytes], bytes] = bytes
    protects: str = ""
    protects_what: str = ""


DIGEST_KEY = Credential(name="digest_key", generate=lambda: secrets.token_bytes(KEY_BYTES), check=check_size(KEY_BYTES))
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


def load_or_create(
    directory: Path, credentials: Iterable[Credential], kept: Mapping[str, str] = MappingProxyType({})
) -> Credentials:
    """Read an instance's key material, and generate missing files.

    Args:
        directory: The directory of the files.
        credentials: The key material.
        kept: The instance's existing volumes: podman's name of each, by its part of the name.

    Raises:
        SettingsError: A file is damaged, or missing although existing data depends on it; carries all problems.
    """
    rows = (*credentials, DIGEST_KEY)
    private_directory(directory)
    report(directory, [*find_problems(directory, rows, kept)])
    return Credentials(contents={each.name: _load_or_create(directory / each.name, each) for each in rows})


def find_problems(directory: Path, credentials: Iterable[Credential], kept: Mapping[str, str]) -> Iterator[Problem]:
    """Find damaged files, and missing ones on which the data in an existing volume depends."""
    for each in credentials:
        path = directory / each.name
        data = kept.get(each.protects, "")
        missing = "is missing" if data else ""
        text = _find_damage(path, each) if os.path.lexists(path) else missing
        if text and data:
            text += f", and {each.protects_what} in the volume {data} is encrypted with it"
            yield Problem(path=path, text=text, remedy=f"restore it from a backup or as {RESTORE_DOC} says")
        elif text:
            yield Problem(path=path, text=text, remedy=f"remove {path}; `up` then generates another")


def _find_damage(path: Path, credential: Credential) -> str:
    """Find what is wrong with an existing file, as the end of a sentence."""
    try:
        content = read_file(path, "")
    except UnreadableError as error:
        return error.problem.text
    if not content:
        return "is empty"
    try:
        credential.check(credential.normalize(content))
    except ValueError as error:
        return str(error)
    return ""


def _load_or_create(path: Path, credential: Credential) -> bytes:
    if not os.path.lexists(path):
        write_private(path, credential.generate())
    return credential.normalize(path.read_bytes())


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
