"""The values that describe a pod, and the volumes of its containers.

Manifests and the harness's test containers are rendered from them.
"""

import hashlib
import hmac
import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath

ROOT = "/"
"""Name of a volume's root in an archive. `podman volume import` sets owner and mode by this one, but not by ``.``."""


class SeedKind(Enum):
    """The kind of a volume's content, which decides when it is seeded, and who may read it.

    Settings are a site's own configuration, which may contain secrets.
    """

    CONFIG = "config"
    SETTINGS = "settings"
    CREDENTIAL = "credential"
    DATA = "data"

    @property
    def follows_seed(self) -> bool:
        """Whether the volume is re-seeded when its seed changes, as all but data are."""
        return self is not SeedKind.DATA

    @property
    def is_private(self) -> bool:
        """Whether the content may be secret, so that a cluster stores it in a Secret."""
        return self in {SeedKind.SETTINGS, SeedKind.CREDENTIAL}

    @property
    def can_be_restored(self) -> bool:
        """Whether hubpod saves the content, to restore it if an edit of it fails."""
        return self in {SeedKind.CONFIG, SeedKind.SETTINGS}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a seed, with the owner and mode that its reader in the container requires.

    Attributes:
        path: Relative to the root of the volume.
        content: Content, which may be a secret and is omitted from reprs.
        mode: Permission bits.
        uid: Numeric owner in the container.
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
            raise ValueError(f"the path of a seed's file must stay inside the volume: {self.path!r}")


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The initial content of one named volume.

    Attributes:
        volume: The volume's full name.
        kind: Kind of the content.
        files: Files; directories between them get the owner and mode of the root directory.
        mode: Permission bits of the root directory.
        uid: Owner of the root directory.
        gid: Group of the root directory.
        read_each_time: Whether running containers notice new content without a restart.
    """

    volume: str
    kind: SeedKind
    files: tuple[File, ...] = ()
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    read_each_time: bool = False

    @property
    def root(self) -> str:
        """Mode and owner of the root directory as a text for a label."""
        return f"{self.mode:04o} {self.uid}:{self.gid}"

    def tar(self) -> bytes:
        """Pack the seed into an uncompressed tar archive, reproducibly."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(self._directory(ROOT))
            directories = {parent for file in self.files for parent in PurePosixPath(file.path).parents}
            for directory in sorted(str(path) for path in directories if path.parts):
                archive.addfile(self._directory(directory))
            for file in sorted(self.files, key=lambda each: each.path):
                member = tarfile.TarInfo(file.path)
                member.size, member.mode, member.uid, member.gid = len(file.content), file.mode, file.uid, file.gid
                archive.addfile(member, io.BytesIO(file.content))
        return buffer.getvalue()

    def _directory(self, path: str) -> tarfile.TarInfo:
        member = tarfile.TarInfo(path)
        member.type, member.mode, member.uid, member.gid = tarfile.DIRTYPE, self.mode, self.uid, self.gid
        return member

    def digest(self, key: bytes) -> str:
        """Return a keyed digest of the content for a label, which reveals no secret without the key."""
        return digest_of(self.tar(), key)


def root_archive(root: str) -> bytes:
    """Pack a root directory without files, given its mode and owner as Seed.root states them."""
    mode, uid, gid = re.split("[ :]", root)
    return Seed(volume="", kind=SeedKind.DATA, mode=int(mode, 8), uid=int(uid), gid=int(gid)).tar()


def contents(archive: bytes) -> dict[str, File]:
    """Read the files of a tar archive, by path."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = (_file(opened, member) for member in opened.getmembers() if member.isfile())
        return {file.path: file for file in files}


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    content = archive.extractfile(member)
    return File(path=member.name.removeprefix("./"), content=content.read() if content else b"", mode=member.mode)


def digest_of(archive: bytes, key: bytes) -> str:
    """Return the keyed digest of a seed's archive."""
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
"""Seconds that a container has to stop before it is killed. hubpod's own need less than one."""

REFUSED = 65
"""Exit status of a container's reload command that refuses the content of its volumes (EX_DATAERR of sysexits.h)."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod.

    Attributes:
        name: Its name within the pod.
        image: Full image reference with tag.
        args: Command line for the image's entry point; the image's own when empty.
        env: Environment variables, none of them secret.
        mounts: Named volumes.
        tmpfs: Paths at which a tmpfs is mounted.
        ports: Ports published on the host.
        uid: Numeric user and group that the image runs as.
        capabilities: Linux capabilities, without ``CAP_``; all others are dropped.
        may_gain_privileges: Whether set-uid programs such as sudo work.
        ready: Command inside the container that succeeds once the container works; empty if a log line says so.
        ready_line: Part of the log line that the container writes once it works.
        waits_for: What readiness means, for progress messages.
        renew: Command inside the container that reloads the content of the volumes, faster than a restart but with the
            old environment variables; empty without one. Exits with ``REFUSED`` if the content is invalid, so that
            a restart would not help either.
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
    """A pod: containers that share one network, and the seeds of their volumes.

    Attributes:
        name: The pod's name, by which the instance's other pods reach it.
        instance: Prefix of the names of the instance's volumes.
        labels: Labels of the pod, which no other pod has.
        containers: In the order in which they are started.
        seeds: Initial content of every mounted volume.
        peer_ports: Ports that the instance's other pods connect to; None for all ports.
    """

    name: str
    instance: str
    labels: Mapping[str, str]
    containers: tuple[Container, ...]
    seeds: tuple[Seed, ...]
    peer_ports: tuple[int, ...] | None = ()

    def __post_init__(self) -> None:
        seeded = {seed.volume for seed in self.seeds}
        for container in self.containers:
            for mount in container.mounts:
                if mount.volume not in seeded:
                    raise ValueError(f"{container.name} mounts {mount.volume}, which has no seed")
