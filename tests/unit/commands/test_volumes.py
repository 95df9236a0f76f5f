"""Archives that replace the content of a volume."""

import re
import tarfile
from pathlib import Path
from typing import cast

import pytest

from hubpod.commands import volumes
from hubpod.context import Context
from hubpod.errors import UsageError
from hubpod.instances import Instance, find_instance

INSTANCE = find_instance("dev_dummyauth", "default")


class AcceptedError(Exception):
    """The archive was accepted."""


class NoPodman:
    """A context whose lock is only taken once the archive is accepted."""

    def locked(self, _instance: Instance) -> None:
        """Hold the lock of an instance."""
        raise AcceptedError


def replace(archive: Path) -> None:
    """Replace the homes by an archive."""
    volumes.replace(cast("Context", NoPodman()), INSTANCE, "homes", archive)


def member(name: str, *, link: str = "", hard: bool = False) -> tarfile.TarInfo:
    """Return a member of an archive: an empty file or a link."""
    info = tarfile.TarInfo(name)
    info.linkname = link
    info.type = (tarfile.LNKTYPE if hard else tarfile.SYMTYPE) if link else tarfile.REGTYPE
    return info


def write(archive: Path, *members: tarfile.TarInfo) -> Path:
    """Write an archive of these members."""
    with tarfile.open(archive, "w") as written:
        for each in members:
            written.addfile(each)
    return archive


@pytest.mark.parametrize(
    "members",
    [
        (member("/etc/cron.d/x"),),
        (member("../x"),),
        (member("a/../../x"),),
        (member("way", link="/etc"), member("way/x")),
        (member("./way", link="../.."), member("way/deep/er/x")),
        (member("x", link="/etc/shadow", hard=True),),
        (member("x", link="../shadow", hard=True),),
        (member("way", link="/etc"), member("x", link="way/shadow", hard=True)),
    ],
    ids=lambda members: " ".join(each.name for each in members),
)
def test_an_archive_that_leaves_the_volume_is_refused(tmp_path: Path, members: tuple[tarfile.TarInfo, ...]) -> None:
    """The error names the member that would be written outside the volume.

    A link in the archive may lead there.
    """
    archive = write(tmp_path / "a.tar", *members)

    with pytest.raises(UsageError, match=f"has '{re.escape(members[-1].name)}', .* outside of the volume"):
        replace(archive)


def test_links_that_point_elsewhere_are_accepted(tmp_path: Path) -> None:
    """Users' homes have links to other places, and nothing is written through the links."""
    links = (member("ada/data", link="/scratch/ada"), member("ada/a"), member("ada/b", link="ada/a", hard=True))

    with pytest.raises(AcceptedError):
        replace(write(tmp_path / "a.tar", *links))


def test_an_incomplete_archive_is_refused(tmp_path: Path) -> None:
    """The volume is not touched."""
    (tmp_path / "half").write_bytes(b"x" * 700)

    with pytest.raises(UsageError, match="not a complete tar archive"):
        replace(tmp_path / "half")
