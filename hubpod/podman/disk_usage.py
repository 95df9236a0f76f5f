"""Sizes of volumes and images, as podman reports them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hubpod.labels import MANAGED_BY
from hubpod.podman.cli import Podman

UNITS: Mapping[str, int] = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
VOLUME_ROW = re.compile(r"(?P<name>\S+)\s+\d+\s+(?P<number>[\d.]+)(?P<unit>B|kB|MB|GB|TB)")
"""A row of ``podman system df --verbose``. podman 4.3 has no JSON of it."""


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image that hubpod built.

    Attributes:
        id: Its id.
        name: Its reference; empty if another image has taken it.
        created: When it was built, in seconds since the epoch.
        size: Bytes, with layers that other images share.
        used: Whether a container uses it.
    """

    id: str
    name: str
    created: float
    size: int
    used: bool


def volume_sizes(podman: Podman) -> dict[str, int]:
    """Return the size in bytes of each volume, by name."""
    lines = podman.run("system", "df", "--verbose", check=False).stdout.splitlines()
    rows = filter(None, (VOLUME_ROW.fullmatch(line.strip()) for line in lines))
    return {row["name"]: round(float(row["number"]) * UNITS[row["unit"]]) for row in rows}


def list_images(podman: Podman) -> list[StoredImage]:
    """List the images that hubpod built, newest first."""
    rows = podman.rows("images", f"--filter=label={MANAGED_BY}=hubpod")
    used = {str(row.get("ImageID", "")) for row in podman.rows("ps", "--all", "--external")}
    images = [
        StoredImage(
            id=row["Id"],
            name=(row.get("Names") or [""])[0],
            created=row["Created"],
            size=row.get("Size", 0),
            used=bool(row.get("Containers")) or row["Id"] in used,
        )
        for row in rows
    ]
    return sorted(images, key=lambda image: image.created, reverse=True)


def readable(size: int) -> str:
    """Return a size in decimal units as podman prints them."""
    for unit, factor in reversed(tuple(UNITS.items())):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if factor > 1 else f"{size} B"
    return "0 B"
