"""The content of volumes as values, from and to tar archives."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath

ROOT = "."


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file or directory of a volume.

    Attributes:
        content: Content of a file; None for a directory.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
        mtime: Time of the last change, in seconds since the epoch.
    """

    content: bytes | None = None
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: float = 0


Tree = dict[str, Entry]
"""The entries of a volume by path, its root among them."""


def unpack(archive: bytes) -> Tree:
    """Return the entries of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {str(PurePosixPath(member.name)): _entry(opened, member) for member in opened.getmembers()}


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    content = archive.extractfile(member) if member.isfile() else None
    return Entry(
        content=content.read() if content else None,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
    )


def pack(tree: Tree) -> bytes:
    """Return a tar archive of the entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in sorted(tree.items()):
            member = tarfile.TarInfo(path)
            member.type = tarfile.DIRTYPE if entry.content is None else tarfile.REGTYPE
            member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.uid, entry.gid, entry.mtime
            member.size = len(entry.content or b"")
            archive.addfile(member, io.BytesIO(entry.content or b""))
    return buffer.getvalue()
