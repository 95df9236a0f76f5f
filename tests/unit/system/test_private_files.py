"""Private files: written as a whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from hubpod.errors import MachineError
from hubpod.system import private_files
from hubpod.system.private_files import user_directory, write_private


@pytest.mark.parametrize("call", ["fdopen", "fsync"])
def test_a_full_disk_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A key or record that cannot be written is the one of before, and no part of the new one is left."""
    path = tmp_path / "key"
    write_private(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o777])
def test_a_file_is_private_under_any_umask(tmp_path: Path, umask: int) -> None:
    """Mode 0600, also for a file that replaces a readable one."""
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    before = os.umask(umask)
    try:
        write_private(path, b"new")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_users_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user could have created the directory first, or a link in its place."""
    monkeypatch.setattr(private_files, "USERS", tmp_path)
    (tmp_path / f"hubpod-{os.getuid()}").symlink_to(tmp_path)

    with pytest.raises(MachineError, match="belongs to another user"):
        user_directory()


def test_a_missing_directory_of_users_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the directory that cannot be created."""
    monkeypatch.setattr(private_files, "USERS", tmp_path / "missing")

    with pytest.raises(MachineError, match=r"cannot create .*missing/hubpod-"):
        user_directory()
