"""What every component is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.environments import Instance
from hubpod.errors import SettingsError
from hubpod.pod import Container, File, Mount, Port, Seed, SeedKind
from hubpod.settings.credentials import Credentials
from hubpod.settings.deploy_configmap import Settings
from hubpod.settings.key_files import Supplied
from hubpod.sources.content import is_scratch

CREDENTIALS = "/etc/hubpod/credentials"
"""Where a container finds its credentials; files below ``env/`` become environment variables of their name."""

SOURCE_FOLDER = "/usr/src"
"""Where the images of development look for the code of their sources, each in a folder of its name."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """The code of a source, which its image does not have: it comes in a volume.

    Attributes:
        folder: Where it is on this machine.
        files: What it was when it was looked at.
    """

    folder: Path
    files: tuple[File, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Site:
    """All that components derive from.

    Attributes:
        instance: Which copy of which environment.
        settings: The valid deploy ConfigMap.
        credentials: The instance's key material.
        images: Image references by name of the folder below containers/.
        sources: The code of each source that comes in a volume, by its name.
        volumes: The folder with the seeds' content, ``volumes/``.
        port: The published port on the host's loopback address; 0 where a tunnel is the way in.
        supplied: The key material and configuration that the site has put beside its deploy ConfigMap.
        hub_api: Where the users' servers reach the hub's API; None where they are in the pod.
    """

    instance: Instance
    settings: Settings
    credentials: Credentials
    images: Mapping[str, str]
    volumes: Path
    port: int
    supplied: Supplied = field(default_factory=Supplied)
    hub_api: Port | None = None
    sources: Mapping[str, Code] = field(default_factory=dict)

    @property
    def ssh_client_key(self) -> bytes:
        """The hub's private key for the Slurm host: the site's, or one of our own."""
        return self.supplied.ssh_client_key or self.credentials.ssh_client_key

    @property
    def ssh_known_hosts(self) -> bytes:
        """The pinned host keys of the Slurm host: the site's, or those of the Slurm that comes with the pod."""
        return self.supplied.ssh_known_hosts or self.credentials.known_hosts(self.settings.ssh_hostname)


@dataclass(frozen=True, kw_only=True)
class Component:
    """A container of the pod, the seeds of the volumes that are its own, and the names it must resolve."""

    container: Container
    seeds: tuple[Seed, ...]
    host_aliases: Mapping[str, str] = field(default_factory=dict)


def mounted_source(
    site: Site, name: str, part: str, *, read_each_time: bool = False
) -> tuple[tuple[Mount, ...], tuple[Seed, ...]]:
    """The code of a source where its installation looks for it; nothing where the image has it.

    Args:
        site: What all derives from.
        name: The source's name.
        part: What its volume is called.
        read_each_time: Whether it is read anew whenever it is used.
    """
    if name not in site.sources:
        return (), ()
    volume = site.instance.volume(part)
    seed = Seed(volume=volume, kind=SeedKind.CONFIG, files=site.sources[name].files, read_each_time=read_each_time)
    return (Mount(volume=volume, path=f"{SOURCE_FOLDER}/{name}", read_only=True),), (seed,)


def files_below(folder: Path, prefix: str = "") -> tuple[File, ...]:
    """The files of a folder of seed content, readable by everyone and owned by root.

    Raises:
        SettingsError: Something in it is a link, which could bring in any file of this machine.
    """
    paths = [path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts]
    paths = [path for path in paths if not is_scratch(path.name)]
    if link := next((path for path in paths if path.is_symlink()), None):
        raise SettingsError(f"{link} is a link", remedy="put the file itself there")
    return tuple(
        File(path=prefix + str(path.relative_to(folder)), content=path.read_bytes()) for path in paths if path.is_file()
    )
