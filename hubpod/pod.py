"""The neutral values that a pod is made of: rendered as a manifest by kube.py, as test containers by the harness."""

import hashlib
import hmac
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath


class SeedKind(Enum):
    """What a volume holds, and so when it is written."""

    CONFIG = "config"
    CREDENTIAL = "credential"
    DATA = "data"

    @property
    def follows_seed(self) -> bool:
        """Whether the volume is written again when its seed changes; data is never overwritten."""
        return self is not SeedKind.DATA


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a seed, with the owner and mode that its reader in the container needs.

    Attributes:
        path: Relative to the root of the volume.
        content: What the file holds; kept out of reprs, as it may be a secret.
        mode: Permission bits.
        uid: Numeric owner, as the container knows it.
        gid: Numeric group.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"a seed's file may not leave its volume: {self.path!r}")


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The initial content of one named volume.

    Attributes:
        volume: The volume's full name.
        kind: What it holds.
        files: Its files; folders between them are made with the owner and mode of the root.
        mode: Permission bits of the root folder.
        uid: Owner of the root folder.
        gid: Group of the root folder.
        read_each_time: Whether the containers read it anew whenever they use it, so that they need not restart for it.
    """

    volume: str
    kind: SeedKind
    files: tuple[File, ...] = ()
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    read_each_time: bool = False

    def tar(self) -> bytes:
        """The seed as an uncompressed tar archive; the same seed gives the same bytes."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(self._folder("."))
            folders = {parent for file in self.files for parent in PurePosixPath(file.path).parents}
            for folder in sorted(str(path) for path in folders if path.parts):
                archive.addfile(self._folder(folder))
            for file in sorted(self.files, key=lambda each: each.path):
                member = tarfile.TarInfo(file.path)
                member.size, member.mode, member.uid, member.gid = len(file.content), file.mode, file.uid, file.gid
                archive.addfile(member, io.BytesIO(file.content))
        return buffer.getvalue()

    def _folder(self, path: str) -> tarfile.TarInfo:
        member = tarfile.TarInfo(path)
        member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, self.mode, self.uid, self.gid
        return member

    def digest(self, key: bytes) -> str:
        """A keyed digest of the content, fit for a label: without the key it tells nothing of a secret inside."""
        return digest_of(self.tar(), key)


def contents(archive: bytes) -> dict[str, File]:
    """The files in a tar archive, such as a seed's, by path."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = (_file(opened, member) for member in opened.getmembers() if member.isfile())
        return {file.path: file for file in files}


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    content = archive.extractfile(member)
    return File(path=member.name.removeprefix("./"), content=content.read() if content else b"", mode=member.mode)


def digest_of(archive: bytes, key: bytes) -> str:
    """The keyed digest of a seed, from its archive."""
    return hmac.new(key, archive, hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A whole named volume at a path of a container."""

    volume: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of a container, published on the host."""

    container: int
    host: int
    host_ip: str = "127.0.0.1"


STOP_GRACE_S = 5
"""Seconds that a container gets to end before it is killed; all of ours need less than one."""

REFUSED = 65
"""What a container's command to begin anew ends with when its volumes hold what it cannot work with (sysexits.h)."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of the pod.

    Attributes:
        name: Its name within the pod.
        image: Full image reference with tag.
        args: Command line for the image's entry point; the image's own when empty.
        env: Environment variables, none of them secret.
        mounts: Named volumes.
        tmpfs: Paths of small writable file systems that are gone with the container.
        ports: Ports published on the host.
        uid: The number of the user that its image runs it as, and of that user's group; 0 is root.
        capabilities: Linux capabilities, without ``CAP_``; all others are dropped.
        may_gain_privileges: Whether set-uid programs such as sudo work inside.
        ready: A command that ends with 0 inside the container once it does its work; empty when there is none.
        ready_line: What it writes to its log once it does its work, where no command can tell.
        waits_for: What ``ready`` checks, in words for the person who waits.
        renew: A command that has it begin its work anew inside, sooner than a restart would: with what its volumes hold
            by now, but with the environment variables of before; empty when there is none. Ends with ``REFUSED`` when
            a restart would not help, because that cannot be worked with, and leaves to itself what works on meanwhile.
    """

    name: str
    image: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    uid: int = 0
    capabilities: tuple[str, ...] = ()
    may_gain_privileges: bool = False
    ready: tuple[str, ...] = ()
    ready_line: str = ""
    waits_for: str = ""
    renew: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A whole pod: containers that share one network, the volumes they mount, and the names they resolve.

    Attributes:
        name: The pod's name.
        labels: Labels of the pod.
        containers: In the order in which they are started.
        seeds: The initial content of every volume that a container mounts.
        host_aliases: Host name to address, for all containers.
    """

    name: str
    labels: Mapping[str, str]
    containers: tuple[Container, ...]
    seeds: tuple[Seed, ...]
    host_aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seeded = {seed.volume for seed in self.seeds}
        for container in self.containers:
            for mount in container.mounts:
                if mount.volume not in seeded:
                    raise ValueError(f"{container.name} mounts {mount.volume}, which has no seed")
