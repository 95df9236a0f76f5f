"""Files and directories that only this user can read.

Files are written atomically, with the same modes under any umask.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubpod.errors import MachineError, UsageError

USERS = Path("/var/tmp")  # noqa: S108 - the owner of the directory below it is checked
"""Where each user of this machine has a directory. It is on disk, because memory is too small for image layers."""


def private_directory(directory: Path) -> Path:
    """Create a directory with mode 0700 and missing parents, or give an existing one that mode."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    return directory


def user_directory() -> Path:
    """Create this user's own directory on this machine, for locks and the temporary files of builds.

    Raises:
        MachineError: It cannot be created, or another user has created it.
    """
    directory = USERS / f"hubpod-{os.getuid()}"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        problem = f"cannot create {directory}: {error.strerror}"
        raise MachineError(problem, remedy=f"make {USERS} a directory in which all users may create files") from None
    if directory.is_symlink() or directory.stat().st_uid != os.getuid():
        raise MachineError(f"{directory} belongs to another user", remedy=f"have an administrator remove {directory}")
    return directory


def read_record(path: Path) -> dict[str, object]:
    """Read a JSON object that hubpod has saved, or an empty one when the file is missing or damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def new_private_file(path: Path) -> Iterator[None]:
    """Create an empty file of mode 0600 for the block to fill, and remove it if the block fails.

    Raises:
        UsageError: The file exists already or cannot be created.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise UsageError(f"cannot create {path}: {error.strerror}", remedy="give the path of a new file") from None
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600, completely or not at all."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
