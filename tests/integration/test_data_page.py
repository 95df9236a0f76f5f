"""docs/data.md: its commands back up, restore and repair an instance, and damaged files have a sentence each."""

import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubpod.podman.cli import Podman
from support.instances import PROJECT, SOURCES, CommandResult, RunningInstance, run_command
from support.recipe import blocks_of

ACCOUNT = "testuser.project1"
NOTES = f"/home/project1/{ACCOUNT}/notes"
BLOCKS = dict(blocks_of((PROJECT / "docs" / "data.md").read_text()))
BACK_UP, RESTORE, RESTORE_KEY, REPLACE_KEY = BLOCKS
USERS = (
    "import sqlite3; print(sqlite3.connect('file:/srv/jupyterhub/jupyterhub.sqlite?mode=ro', uri=True)"
    ".execute('select name, length(encrypted_auth_state) > 0 from users order by id').fetchall())"
)
SETTINGS = 3


@pytest.fixture(scope="module")
def running(podman: Podman) -> Iterator[RunningInstance]:
    """An instance with a file in a home, and a user in the hub's database. Each test leaves it up, except the last."""
    created = RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman)
    try:
        result = created.up()
        assert result.code == 0, result.text
        created.execute("slurm", "runuser", "-u", ACCOUNT, "--", "sh", "-c", f"echo mine > {NOTES}")
        created.login()
        yield created
    finally:
        created.down("--volumes")
        created.remove_settings()
    assert not created.remaining_resources()


def run_blocks(running: RunningInstance, backup: Path, *marks: str) -> CommandResult:
    """Run blocks of the page in one shell, for an instance and with this checkout's sources.

    The first block sets the variables of all, up to its first command.
    """
    variables = BLOCKS[BACK_UP].partition("mkdir")[0]
    script = variables + "".join(BLOCKS[mark].removeprefix(variables) for mark in marks)
    for written, used in (
        ("HUBPOD_INSTANCE=default", f"HUBPOD_INSTANCE={running.name}"),
        ("$HOME/hubpod-backup", str(backup)),
        ("./run invoke dev.up", f"./run invoke dev.up {shlex.join(SOURCES)}"),
        ("./run invoke", f"{shlex.quote(sys.executable)} -m invoke"),
    ):
        script = script.replace(written, used)
    return run_command(("bash", "-euo", "pipefail", "-c", script))


def key_of(running: RunningInstance) -> Path:
    """Return the path of the crypt key."""
    return PROJECT / ".hubpod" / running.environment / running.name / "credentials" / "crypt_key"


def users(running: RunningInstance) -> str:
    """Return the users in the hub's database, and whether each has a login state."""
    return running.execute("jupyterhub", "python3", "-c", USERS)


def test_a_backup_restores_an_instance_that_was_removed(running: RunningInstance, tmp_path: Path) -> None:
    """Homes, users, login states and keys are as before, although `down --volumes` had removed them all."""
    before, key = users(running), key_of(running).read_bytes()

    backed_up = run_blocks(running, tmp_path / "backup", BACK_UP)
    assert backed_up.code == 0, backed_up.text
    assert running.down("--volumes").code == 0
    restored = run_blocks(running, tmp_path / "backup", RESTORE)

    assert restored.code == 0, restored.text
    assert running.execute("slurm", "runuser", "-u", ACCOUNT, "--", "cat", NOTES) == "mine\n"
    assert (users(running), key_of(running).read_bytes()) == (before, key)
    assert ("testuser", 1) in eval(before)  # noqa: S307 - a list that Python printed
    running.login().spawn(project="project1").stop()


@pytest.mark.parametrize("damage", ["empty", "directory", "missing"])
def test_a_lost_crypt_key_is_restored_from_its_volume(running: RunningInstance, tmp_path: Path, damage: str) -> None:
    """`up` names the file and changes nothing, `status` and `down` name it and work. The page's command restores it."""
    path, key, before = key_of(running), key_of(running).read_bytes(), users(running)
    spoil(path, damage)

    up, status, down = running.up(), running.invoke("dev.status"), running.down()

    for result, code in ((up, SETTINGS), (status, 0), (down, 0)):
        assert result.code == code, result.text
        (line,) = [line for line in result.stderr.splitlines() if str(path) in line]
        assert "every user's login state" in line
        assert "docs/data.md" in result.stderr
        assert "Traceback" not in result.text
    restored = run_blocks(running, tmp_path, RESTORE_KEY)
    assert restored.code == 0, restored.text
    assert (path.read_bytes(), users(running)) == (key, before)


def test_another_crypt_key_may_be_written(running: RunningInstance, tmp_path: Path) -> None:
    """The database stays, and the user logs in again."""
    key_of(running).unlink()
    assert running.up().code == SETTINGS

    replaced = run_blocks(running, tmp_path, REPLACE_KEY)

    assert replaced.code == 0, replaced.text
    assert "testuser" in users(running)
    running.login().spawn(project="project1").stop()


@pytest.mark.parametrize("name", ["munge_key", "proxy_token", "ssh_host_key", "digest_key"])
def test_another_key_is_generated_when_its_file_is_removed(running: RunningInstance, name: str) -> None:
    """Each damaged key stops `up` with its remedy, and following the remedy brings the instance up with its data."""
    path = key_of(running).with_name(name)
    spoil(path, "truncated")

    refused, status = running.up(), running.invoke("dev.status")
    path.unlink()
    up = running.up()

    assert refused.code == SETTINGS, refused.text
    assert f"{path}: " in refused.stderr
    assert f"remove {path}" in refused.stderr.replace("\n", " ")
    assert (status.code, str(path) in status.stderr) == (0, True), status.text
    assert up.code == 0, up.text
    assert running.execute("slurm", "runuser", "-u", ACCOUNT, "--", "cat", NOTES) == "mine\n"


def spoil(path: Path, damage: str) -> None:
    """Damage a file."""
    content = path.read_bytes()
    path.unlink()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "binary":
            path.write_bytes(bytes(range(256)))
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to("/nonexistent")


def test_a_damaged_record_stops_up_and_not_down(running: RunningInstance) -> None:
    """The directories of the sources are not forgotten, and `down --volumes` removes everything."""
    record = key_of(running).parents[1] / "record.json"
    record.unlink()
    record.mkdir()

    up, down = running.up(), running.down("--volumes")

    assert (up.code, f"{record}: is a directory" in up.stderr) == (SETTINGS, True), up.text
    assert (down.code, str(record) in down.stderr) == (0, True), down.text
    assert not running.remaining_resources()
    assert not record.is_dir()
    shutil.rmtree(record.parent, ignore_errors=True)
