"""What every component is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod.credentials import Credentials
from hubpod.environments import Instance
from hubpod.pod import Container, File, Seed
from hubpod.settings import Settings

CREDENTIALS = "/etc/hubpod/credentials"
"""Where a container finds its credentials; files below ``env/`` become environment variables of their name."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """All that components derive from.

    Attributes:
        instance: Which copy of which environment.
        settings: The valid deploy ConfigMap.
        credentials: The instance's key material.
        images: Image references by name of the folder below containers/.
        volumes: The folder with the seeds' content, ``volumes/``.
        port: The published port on the host's loopback address.
    """

    instance: Instance
    settings: Settings
    credentials: Credentials
    images: Mapping[str, str]
    volumes: Path
    port: int


@dataclass(frozen=True, kw_only=True)
class Component:
    """A container of the pod, the seeds of the volumes that are its own, and the names it must resolve."""

    container: Container
    seeds: tuple[Seed, ...]
    host_aliases: Mapping[str, str] = field(default_factory=dict)


def files_below(folder: Path, prefix: str = "") -> tuple[File, ...]:
    """The files of a folder of seed content, readable by everyone and owned by root."""
    return tuple(
        File(path=prefix + str(path.relative_to(folder)), content=path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )
