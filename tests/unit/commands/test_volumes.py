"""Archives that replace the content of a volume."""

import re
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from hubpod.commands import volumes
from hubpod.commands.down import down
from hubpod.context import Context, Unknown
from hubpod.errors import MachineError, UsageError
from hubpod.instances import Instance, find_instance
from support.deployments import OLD, Deployment, Killed, deployment, disturbances
from support.volume_trees import Entry, Tree, pack, unpack

DISTURBANCES = disturbances()
INSTANCE = find_instance("dev_dummyauth", "default")


class AcceptedError(Exception):
    """The archive was accepted."""


class NoPodman:
    """A context whose lock is only taken once the archive is accepted."""

    def locked(self, _instance: Instance, unknown: Unknown) -> None:
        """Hold the lock of an instance that exists."""
        assert unknown
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


@pytest.fixture
def deployed(tmp_path: Path) -> Deployment:
    """An instance with data, that is down."""
    found = deployment("dev_dummyauth", tmp_path / "checkout")
    found.up(OLD)
    found.write_data()
    down(found.context, found.base.instance, volumes=False)
    return found


def homes(deployed: Deployment) -> Tree:
    """Return the homes."""
    return deployed.podman.data()[deployed.base.instance.volume("homes")]


NEW = {".": Entry(mode=0o755), "project1": Entry(mode=0o755), "project1/new": Entry(content=b"new", mode=0o600, uid=7)}


def test_an_import_replaces_all_of_the_content(deployed: Deployment, tmp_path: Path) -> None:
    """The archive's files are there with owners and modes, and no other file; other volumes stay."""
    archive = tmp_path / "a.tar"
    archive.write_bytes(pack(NEW))
    others = deployed.podman.data()

    volumes.replace(deployed.context, deployed.base.instance, "homes", archive)

    assert homes(deployed) == NEW
    assert deployed.podman.data() == {**others, deployed.base.instance.volume("homes"): NEW}
    deployed.up(OLD)
    assert homes(deployed) == NEW


def test_an_import_to_a_full_disk_keeps_the_old_content(deployed: Deployment, tmp_path: Path) -> None:
    """The next `up` uses it, and nothing of the import is left."""
    archive, data, names = tmp_path / "a.tar", deployed.podman.data(), set(deployed.podman.stored)
    archive.write_bytes(pack(NEW))

    with pytest.raises(MachineError, match="the disk is full"), deployed.disturbed(DISTURBANCES["the disk is full"](2)):
        volumes.replace(deployed.context, deployed.base.instance, "homes", archive)

    assert set(deployed.podman.stored) == names
    assert deployed.podman.data() == data
    deployed.up(OLD)
    assert deployed.podman.data() == data


@pytest.mark.parametrize("at", range(1, 8))
def test_a_killed_import_leaves_no_half_of_an_archive(deployed: Deployment, tmp_path: Path, at: int) -> None:
    """After the next `up` the homes are the old ones, the new ones, or empty ones."""
    archive, old = tmp_path / "a.tar", homes(deployed)
    archive.write_bytes(pack(NEW))
    empty = unpack(next(each for each in deployed.spec(OLD).seeds if each.volume.endswith("-homes")).tar())

    with suppress(Killed), deployed.disturbed(DISTURBANCES["SIGKILL"](at)):
        volumes.replace(deployed.context, deployed.base.instance, "homes", archive)
    deployed.up(OLD)

    assert homes(deployed) in (old, NEW, empty)
    assert deployed.runs(OLD)


def test_a_reset_removes_only_the_named_volume(deployed: Deployment) -> None:
    """The other data stays, and an unknown name removes nothing."""
    data = deployed.podman.data()
    with pytest.raises(UsageError, match="did you mean 'homes'"):
        volumes.reset(deployed.context, deployed.base.instance, "hmoes")
    assert deployed.podman.data() == data

    volumes.reset(deployed.context, deployed.base.instance, "homes")

    del data[deployed.base.instance.volume("homes")]
    assert deployed.podman.data() == data


def test_a_running_instance_keeps_its_volumes(deployed: Deployment, tmp_path: Path) -> None:
    """Neither import nor reset touches volumes in use."""
    archive, data = tmp_path / "a.tar", deployed.podman.data()
    archive.write_bytes(pack(NEW))
    deployed.up(OLD)

    with pytest.raises(UsageError, match="is running and uses its volumes"):
        volumes.reset(deployed.context, deployed.base.instance, "all")
    with pytest.raises(UsageError, match="is running and uses its volumes"):
        volumes.replace(deployed.context, deployed.base.instance, "homes", archive)

    assert deployed.podman.data() == data
