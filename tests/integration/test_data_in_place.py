"""Homes and the hub's database on a real podman, after commands that fail, are killed or meet a full disk."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hubpod.podman.cli import Podman
from support.instances import PROJECT, SOURCES, CommandResult, RunningInstance, argv, run_command, temporary_instance
from support.volume_trees import Tree, unpack

ACCOUNT = "testuser.project1"
HOME = f"/home/project1/{ACCOUNT}"
WRITE = f"""
head -c 70000 /dev/urandom > {HOME}/data
mkdir -m 0750 {HOME}/own
printf mine > {HOME}/own/notes
chmod 0640 {HOME}/own/notes
touch -d '2001-02-03 04:05:06.789' {HOME}/own/notes
"""
USERS = """
import sqlite3
print(sqlite3.connect('file:/srv/jupyterhub/jupyterhub.sqlite?mode=ro', uri=True).execute(
    'select id, name, created from users order by id').fetchall())
"""
KILLS = 3
SMALL_DISK_MIB = 64
DISK_FULL = 4


@dataclass(frozen=True, kw_only=True)
class InstanceWithData:
    """An instance whose users have written data.

    Attributes:
        running: The instance.
        env: Variables of its commands.
    """

    running: RunningInstance
    env: Mapping[str, str]

    def invoke(self, task: str, *words: str) -> CommandResult:
        """Run an invoke command for the instance."""
        return run_command(argv(task, f"--instance={self.running.name}", *words), env=self.env)

    def up(self, *words: str) -> CommandResult:
        """Run `dev.up`."""
        return self.invoke("dev.up", *SOURCES, *words)

    def write_data(self) -> None:
        """Write a home, and log a user in at the hub."""
        self.running.execute("slurm", "runuser", "-u", ACCOUNT, "--", "sh", "-euc", WRITE)
        self.running.login()
        assert "testuser" in self.users()

    def users(self) -> str:
        """Return the users in the hub's database."""
        return self.running.execute("jupyterhub", "python3", "-c", USERS)

    def tree(self, part: str, directory: Path) -> Tree:
        """Return the content of a volume, with owners, modes and times."""
        archive = directory / f"{secrets.token_hex(4)}.tar"
        self.running.podman.run("volume", "export", f"--output={archive}", self.running.instance.volume(part))
        return unpack(archive.read_bytes())

    def data(self, directory: Path) -> tuple[Tree, Tree]:
        """Return the content of homes and database, while the instance is down."""
        return self.tree("homes", directory), self.tree("hub-data", directory)


@pytest.fixture
def instance(instances: Callable[[], RunningInstance]) -> InstanceWithData:
    """An instance that runs."""
    created = InstanceWithData(running=instances(), env={})
    result = created.up()
    assert result.code == 0, result.text
    created.write_data()
    return created


def test_a_failed_up_keeps_all_data(instance: InstanceWithData, tmp_path: Path) -> None:
    """A version that does not start leaves homes and database byte for byte, and the next `up` uses them."""
    users = instance.users()
    assert instance.invoke("dev.down").code == 0
    data = instance.data(tmp_path)
    broken = tmp_path / "bricsauthenticator"
    run_command(["cp", "-r", str(PROJECT / "packages" / "bricsauthenticator"), str(broken)])
    (broken / "src" / "bricsauthenticator" / "__init__.py").write_text("raise RuntimeError('broken on purpose')\n")

    failed = instance.invoke("dev.up", f"--source=bricsauthenticator={broken}", SOURCES[1])
    after = instance.data(tmp_path)
    result = instance.up()

    assert (failed.code, "broken on purpose" in failed.stderr) == (7, True), failed.text
    assert after == data
    assert result.code == 0, result.text
    assert instance.tree("homes", tmp_path) == data[0]
    assert instance.users() == users


def test_a_killed_up_keeps_all_data(instance: InstanceWithData, tmp_path: Path) -> None:
    """After SIGKILLs at random moments all homes are there byte for byte, and so are the users of the database."""
    users, homes, random = instance.users(), instance.tree("homes", tmp_path), secrets.SystemRandom()
    for _ in range(KILLS):
        assert instance.invoke("dev.down").code == 0
        data = instance.data(tmp_path)
        command = argv("dev.up", f"--instance={instance.running.name}", *SOURCES)
        with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True, text=True) as up:
            assert up.stderr
            next(line for line in up.stderr if "volumes" in line)
            delay = random.uniform(0, 3)
            time.sleep(delay)  # the moment is random, so that there is no condition to wait for
            os.kill(up.pid, signal.SIGKILL)
        assert data[0] == homes
        assert instance.tree("homes", tmp_path) == homes, f"killed {delay:.2f} s after the volumes"
        result = instance.up()
        assert result.code == 0, f"killed {delay:.2f} s after the volumes\n{result.text}"
        assert instance.tree("homes", tmp_path) == homes
        assert instance.users() == users


@pytest.fixture
def small_disk(podman: Podman, tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Mount a disk with room for the volumes of an instance; yield it and the variables that let podman use it.

    Its podman takes the images from the machine's own store.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = run_command(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(disk)])
    if mounted.code:
        pytest.skip(f"only an administrator can mount a small disk: {mounted.stderr.strip()}")
    try:
        (disk / "graph").mkdir()
        (disk / "graph" / "defaultNetworkBackend").write_text("netavark")  # as on a machine where podman has run
        conf = tmp_path / "storage.conf"
        conf.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{disk}/graph"\nrunroot = "{disk}/run"\n'
            f'[storage.options]\nadditionalimagestores = ["{podman.info()["store"]["graphRoot"]}"]\n'
        )
        yield disk, {"CONTAINERS_STORAGE_CONF": str(conf)}
    finally:
        run_command(["umount", "--lazy", str(disk)])


def fill(disk: Path) -> Path:
    """Fill a disk, and return the file that does it."""
    path = disk / "fill"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(2**12)):
            pass
    return path


def test_a_full_disk_keeps_all_data(
    small_disk: tuple[Path, dict[str, str]], podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `up` that finds the disk full names it; with room again, the next one uses homes and database as they were."""
    disk, env = small_disk
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with temporary_instance(replace(podman)) as running:
        instance = InstanceWithData(running=running, env=env)
        result = instance.up()
        assert result.code == 0, result.text
        instance.write_data()
        users, homes = instance.users(), instance.tree("homes", tmp_path)
        settings = Path(running.status["deploy_dir"]) / "deploy-configmap.yaml"
        settings.write_text(settings.read_text().replace("otheruser.project1", "newuser.project3"))
        filled = fill(disk)

        try:
            failed = instance.up()
        finally:
            filled.unlink()
        after = instance.tree("homes", tmp_path)
        result = instance.up()

        assert (failed.code, "disk is full" in failed.stderr) == (DISK_FULL, True), failed.text
        assert after == homes
        assert result.code == 0, result.text
        present = instance.tree("homes", tmp_path)
        assert {path: present[path] for path in homes} == homes
        assert instance.users() == users
