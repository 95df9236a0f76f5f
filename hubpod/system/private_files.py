"""Files and folders that nobody else can read: written whole or not at all, whatever the umask."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubpod.errors import UsageError


def private_directory(folder: Path) -> Path:
    """Make a folder, and what is missing above it, that nobody else can read; or make it so."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def read_record(path: Path) -> dict[str, object]:
    """What hubpod noted in a JSON file; empty when there is none, or when it was damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def new_private_file(path: Path) -> Iterator[None]:
    """An empty file of mode 0600 for somebody else to write; it is gone when that fails.

    Raises:
        UsageError: There is such a file already, or it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise UsageError(f"cannot make {path}: {error.strerror}", remedy="give the path of a new file") from None
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all, whatever the umask."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
