"""Archives that a person puts in the place of a volume."""

import re
import tarfile
from pathlib import Path
from typing import cast

import pytest

from hubpod.commands import volumes
from hubpod.context import Context
from hubpod.environments import Instance, find_instance
from hubpod.errors import UsageError

INSTANCE = find_instance("dev_dummyauth", "default")


class AskedError(Exception):
    """The archive was accepted."""


class NoPodman:
    """In the place of a context: whoever asks it for anything has accepted the archive."""

    def locked(self, _instance: Instance) -> None:
        """Hold the lock of an instance."""
        raise AskedError


def replace(archive: Path) -> None:
    """Put an archive in the place of the home folders."""
    volumes.replace(cast("Context", NoPodman()), INSTANCE, "homes", archive)


def member(name: str, *, link: str = "", hard: bool = False) -> tarfile.TarInfo:
    """A member of an archive: an empty file, or a link."""
    made = tarfile.TarInfo(name)
    made.linkname = link
    made.type = (tarfile.LNKTYPE if hard else tarfile.SYMTYPE) if link else tarfile.REGTYPE
    return made


def write(archive: Path, *members: tarfile.TarInfo) -> Path:
    """An archive of these members."""
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
def test_an_archive_may_not_leave_its_volume(tmp_path: Path, members: tuple[tarfile.TarInfo, ...]) -> None:
    """What would be written or linked elsewhere, also by way of a link of the archive's own, is refused by name."""
    archive = write(tmp_path / "a.tar", *members)

    with pytest.raises(UsageError, match=f"has '{re.escape(members[-1].name)}', .* outside of the volume"):
        replace(archive)


def test_links_as_homes_have_them_are_accepted(tmp_path: Path) -> None:
    """Links that lead anywhere are people's own, as long as nothing is written through them."""
    links = (member("ada/data", link="/scratch/ada"), member("ada/a"), member("ada/b", link="ada/a", hard=True))

    with pytest.raises(AskedError):
        replace(write(tmp_path / "a.tar", *links))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """Half an archive is told as such."""
    (tmp_path / "half").write_bytes(b"x" * 700)

    with pytest.raises(UsageError, match="not a complete tar archive"):
        replace(tmp_path / "half")
