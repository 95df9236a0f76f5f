"""The home directories that the Slurm container creates."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "containers" / "slurm" / "bin" / "hubpod-homes"
OWNER = f"{os.getuid()}:{os.getgid()}"


class Homes:
    """The script, with directories of the test in place of the container's.

    Attributes:
        home: In place of /home.
        passwd: In place of the volume's passwd.
    """

    def __init__(self, directory: Path) -> None:
        self.home, self.passwd = directory / "home", directory / "extrausers" / "passwd"
        skeleton = directory / "skel"
        for path in (self.home, self.passwd.parent, skeleton):
            path.mkdir()
        (skeleton / ".profile").write_text("# profile\n")
        (skeleton / ".profile").chmod(0o644)
        self._script = directory / "hubpod-homes"
        text = SCRIPT.read_text().replace("/var/lib/extrausers", str(self.passwd.parent))
        self._script.write_text(text.replace("/home/", f"{self.home}/").replace("/etc/skel", str(skeleton)))

    def add(self, *accounts: str) -> None:
        """Add accounts USER.PROJECT, with this process's own numbers."""
        for account in accounts:
            home = self.home / account.partition(".")[2] / account
            with self.passwd.open("a") as passwd:
                passwd.write(f"{account}:x:{OWNER}::{home}:/bin/bash\n")

    def create(self, *, umask: int = 0o022, check: bool = True) -> None:
        """Run the script."""
        subprocess.run(["/bin/sh", self._script], umask=umask, check=check)

    def mode(self, path: str) -> int:
        """Return the permission bits of a path below the directory of homes."""
        return stat.S_IMODE((self.home / path).stat().st_mode)


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    """Two accounts without homes."""
    created = Homes(tmp_path)
    created.add("ada.project1", "bob.project1")
    return created


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
def test_only_its_owner_can_read_a_home(homes: Homes, umask: int) -> None:
    """This holds under any umask, and others can reach their own home beside it."""
    homes.create(umask=umask)

    assert homes.mode("project1/ada.project1") == 0o700
    assert homes.mode("project1") == 0o755
    assert (homes.home / "project1" / "ada.project1" / ".profile").exists()


def test_an_existing_home_is_left_alone(homes: Homes) -> None:
    """Content, mode and time of an existing home stay, and a new account gets a home beside it."""
    homes.create()
    mine = homes.home / "project1" / "ada.project1"
    (mine / "notes").write_bytes(b"mine")
    mine.chmod(0o750)
    os.utime(mine / "notes", (1, 1))
    os.utime(mine, (2, 2))
    homes.add("cyd.project1")

    homes.create()

    assert (mine / "notes").read_bytes() == b"mine"
    assert homes.mode("project1/ada.project1") == 0o750
    assert ((mine / "notes").stat().st_mtime, mine.stat().st_mtime) == (1, 2)
    assert homes.mode("project1/cyd.project1") == 0o700


def test_an_interrupted_creation_is_repeated(homes: Homes, tmp_path: Path) -> None:
    """A home exists as a whole or not at all: a full disk in its middle leaves no part of it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "chown").write_text("#!/bin/sh\nexit 1\n")
    (programs / "chown").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=os.pathsep)
        homes.create(check=False)
    left = [path.name for path in (homes.home / "project1").iterdir() if not path.name.endswith(".new")]

    homes.create()

    assert left == []
    assert sorted(path.name for path in (homes.home / "project1").iterdir()) == ["ada.project1", "bob.project1"]


@pytest.mark.parametrize("home", ["/etc/x", "{home}/../x", "{home}/x", ""])
def test_a_home_elsewhere_is_not_created(homes: Homes, home: str) -> None:
    """Only directories below /home/PROJECT are created."""
    homes.passwd.write_text(f"ada:x:{OWNER}::{home.format(home=homes.home)}:/bin/bash\n")

    homes.create()

    assert list(homes.home.iterdir()) == []
