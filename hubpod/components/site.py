"""The values that components derive from, and the seeds that several components make alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hubpod.errors import SettingsError
from hubpod.instances import Instance
from hubpod.pod import File, Mount, Port, Seed, SeedKind
from hubpod.settings.credentials import Credentials
from hubpod.system.scratch_files import is_scratch

if TYPE_CHECKING:  # slow to import, and help texts name components
    from hubpod.settings.deploy_configmap import Settings
    from hubpod.settings.key_files import KeyFiles

CREDENTIALS = "/etc/hubpod/credentials"
"""Directory of a container's credentials. Its entry point exports each file below ``env/`` as a variable."""

SOURCE_DIRECTORY = "/usr/src"
"""Directory of the sources in development images, one subdirectory per source."""


@dataclass(frozen=True, kw_only=True)
class MountedSource:
    """The code of a source that is mounted as a volume, because the image does not contain it.

    Attributes:
        directory: Directory of the source on this machine.
        files: Content of the directory when it was read.
    """

    directory: Path
    files: tuple[File, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Site:
    """The values that all components of an instance derive from.

    Attributes:
        instance: The instance.
        settings: The validated deploy ConfigMap.
        credentials: The instance's generated key material.
        images: Image references by the name of the image.
        volumes: Directory of the content of seeds, ``volumes/``.
        port: The published port on the host's loopback address; 0 if no port is published.
        key_files: Key material and configuration from the deploy directory, if any.
        hub_config: The site's own settings of JupyterHub, by name of the file.
        hub_api: Where users' servers outside the pod reach the hub's API; None if the servers are in the pod.
        proxies: Variables that name the proxies of this machine, for requests of the hub.
        sources: The code of each source that is mounted as a volume, by the source's name.
    """

    instance: Instance
    settings: "Settings"
    credentials: Credentials
    images: Mapping[str, str]
    volumes: Path
    port: int
    key_files: "KeyFiles"
    hub_config: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    hub_api: Port | None = None
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    sources: Mapping[str, MountedSource] = field(default_factory=dict)


def mount_source(
    site: Site, name: str, part: str, *, read_each_time: bool = False
) -> tuple[tuple[Mount, ...], tuple[Seed, ...]]:
    """Mount the code of a source in the directory that its installation refers to.

    Args:
        site: The site.
        name: Name of the source.
        part: Last part of the volume's name.
        read_each_time: Whether running containers notice new content without a restart.

    Returns:
        One mount and its seed, or nothing if the image contains the source.
    """
    if name not in site.sources:
        return (), ()
    volume = site.instance.volume(part)
    seed = Seed(volume=volume, kind=SeedKind.CONFIG, files=site.sources[name].files, read_each_time=read_each_time)
    return (Mount(volume=volume, path=f"{SOURCE_DIRECTORY}/{name}", read_only=True),), (seed,)


def files_below(directory: Path, prefix: str = "") -> tuple[File, ...]:
    """Read the files of a directory as files of a seed, readable by all users and owned by root.

    Raises:
        SettingsError: The directory contains a symbolic link, which could leak any file of this machine.
    """
    paths = [path for path in sorted(directory.rglob("*")) if "__pycache__" not in path.parts]
    paths = [path for path in paths if not is_scratch(path.name)]
    if link := next((path for path in paths if path.is_symlink()), None):
        raise SettingsError(f"{link} is a symbolic link", remedy="replace it with the file itself")
    return tuple(
        File(path=prefix + str(path.relative_to(directory)), content=path.read_bytes())
        for path in paths
        if path.is_file()
    )
