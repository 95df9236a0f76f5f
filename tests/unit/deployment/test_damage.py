"""Damaged files in an instance's private directory."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from hubpod.components import assembly, jupyterhub, proxy, slurm
from hubpod.components.jupyterhub import CRYPT_KEY, DATA_VOLUME
from hubpod.deployment import damage
from hubpod.deployment.rollback import COMPLETE, Backup
from hubpod.errors import SettingsError
from hubpod.instances import find_instance
from hubpod.podman.answers import Volume
from hubpod.podman.snapshot import Snapshot
from hubpod.settings.credentials import DIGEST_KEY, Credential, load_or_create
from hubpod.settings.problems import Problem
from hubpod.workspace import InstanceFiles, Workspace

INSTANCE = find_instance("dev_dummyauth", "default")
NOTHING = Snapshot(containers={}, volumes={})
DATA = INSTANCE.volume(DATA_VOLUME)
WITH_DATA = Snapshot(containers={}, volumes={DATA: Volume(name=DATA, labels={})})
CREDENTIALS = (*assembly.credentials(), DIGEST_KEY)


def become_directory(path: Path) -> None:
    """Put a directory in the place of a file."""
    path.unlink()
    path.mkdir()


def become_link(path: Path) -> None:
    """Put a link to nothing in the place of a file."""
    path.unlink()
    path.symlink_to("nowhere")


def become_pipe(path: Path) -> None:
    """Put a named pipe, which blocks readers, in the place of a file."""
    path.unlink()
    os.mkfifo(path)


def identity(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced or written, but not when it is read."""
    found = path.lstat()
    return (found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:7]), ""),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 8), ""),
    "zeros": (lambda path: path.write_bytes(bytes(4096)), ""),
    "directory": (become_directory, "is a directory"),
    "link": (become_link, "is a symbolic link to nowhere, which does not exist"),
    "pipe": (become_pipe, "is not a regular file"),
    "huge": (lambda path: path.write_bytes(bytes(2 << 20)), "is larger than"),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A checkout with the files of one instance."""
    found = Workspace(project=tmp_path)
    files = found.files(INSTANCE)
    load_or_create(files.credentials, assembly.credentials())
    files.update_record(manifest="kind: Pod", sources={"bricsauthenticator": "/src"})
    return found


@pytest.fixture
def files(workspace: Workspace) -> InstanceFiles:
    """The paths of that instance."""
    return workspace.files(INSTANCE)


def problem_of(workspace: Workspace, found: Snapshot = NOTHING) -> Problem:
    """Return the only problem."""
    (problem,) = damage.find(workspace, INSTANCE, found)
    return problem


@pytest.mark.parametrize("found", [NOTHING, WITH_DATA], ids=["no data", "data"])
def test_whole_files_have_no_problem(workspace: Workspace, found: Snapshot) -> None:
    """What hubpod itself has written passes."""
    assert not damage.find(workspace, INSTANCE, found)


@pytest.mark.parametrize("found", [NOTHING, WITH_DATA], ids=["no data", "data"])
@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("credential", CREDENTIALS, ids=lambda each: each.name)
def test_a_damaged_key_is_named_and_kept(
    workspace: Workspace, files: InstanceFiles, credential: Credential, kind: str, found: Snapshot
) -> None:
    """The sentence has the file, the damage and a remedy, and nothing is generated in its place."""
    path = files.credentials / credential.name
    spoil, text = DAMAGE[kind]
    spoil(path)
    before = identity(path)

    problem = problem_of(workspace, found)
    with pytest.raises(SettingsError) as caught:
        load_or_create(files.credentials, assembly.credentials(), damage.volumes_by_part(INSTANCE, found))

    assert problem.path == path
    assert text in problem.text
    assert problem.remedy
    assert caught.value.message == problem.message
    assert caught.value.remedy == problem.remedy
    assert identity(path) == before
    encrypts = credential is CRYPT_KEY and found is WITH_DATA
    assert (DATA in problem.text, "docs/data.md" in problem.remedy) == (encrypts, encrypts)
    assert ("`up` then generates another" in problem.remedy) is not encrypts


def test_a_lost_crypt_key_is_not_replaced_while_its_data_exists(workspace: Workspace, files: InstanceFiles) -> None:
    """With a new key, everybody's login state would be lost without a word."""
    (files.credentials / CRYPT_KEY.name).unlink()

    assert "is missing, and every user's login state in the volume" in problem_of(workspace, WITH_DATA).text
    assert not damage.find(workspace, INSTANCE, NOTHING)
    with pytest.raises(SettingsError, match="is missing"):
        load_or_create(files.credentials, assembly.credentials(), {DATA_VOLUME: DATA})
    assert not (files.credentials / CRYPT_KEY.name).exists()


def test_a_lost_directory_is_not_replaced_while_its_data_exists(workspace: Workspace, files: InstanceFiles) -> None:
    """A checkout whose private directory was removed does not take over the volumes with other keys."""
    shutil.rmtree(workspace.state)

    assert problem_of(workspace, WITH_DATA).path == files.credentials / CRYPT_KEY.name


def test_a_lost_key_that_protects_nothing_is_generated(workspace: Workspace, files: InstanceFiles) -> None:
    """The other keys are the same in all places that `up` writes."""
    for each in CREDENTIALS:
        if each is not CRYPT_KEY:
            (files.credentials / each.name).unlink()

    assert not damage.find(workspace, INSTANCE, WITH_DATA)
    assert load_or_create(files.credentials, assembly.credentials(), {DATA_VOLUME: DATA})[slurm.MUNGE_KEY]


@pytest.mark.parametrize(
    "content",
    [
        b"ab" * 32,
        b"AB" * 32 + b"\n",
        b"q" * 43 + b"=",
        b"ab" * 32 + b";" + b"cd" * 32,
    ],
)
def test_a_crypt_key_of_ones_own_is_accepted(files: InstanceFiles, content: bytes) -> None:
    """Keys in each form that JupyterHub takes are used, without the line end of `openssl rand -hex 32`."""
    (files.credentials / CRYPT_KEY.name).write_bytes(content)

    assert load_or_create(files.credentials, assembly.credentials())[CRYPT_KEY] == content.strip()


@pytest.mark.parametrize("content", [b"ab" * 31, b"xy" * 32, b"q" * 42, b"ab" * 32 + b";", b"ab" * 32 + b"\nab"])
def test_a_crypt_key_that_the_hub_refuses_is_refused(files: InstanceFiles, content: bytes) -> None:
    """JupyterHub would not start with it."""
    (files.credentials / CRYPT_KEY.name).write_bytes(content)

    with pytest.raises(SettingsError, match="is not a key of 32 bytes in hexadecimal digits or base64"):
        load_or_create(files.credentials, assembly.credentials())


def test_every_key_has_a_check() -> None:
    """No component's key is accepted whatever it contains."""
    for each in CREDENTIALS:
        with pytest.raises(ValueError, match=r"\w"):
            each.check(b"\x00short")
    assert {jupyterhub.CRYPT_KEY, proxy.TOKEN, slurm.MUNGE_KEY} < set(CREDENTIALS)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_record_is_named(workspace: Workspace, files: InstanceFiles, kind: str) -> None:
    """Without the record the sources of the pod and its manifest are unknown, so that it is not taken for empty."""
    DAMAGE[kind][0](files.record)

    problem = problem_of(workspace)

    assert problem.path == files.record
    assert "so the pod that was ready last and the directories of its sources are not known" in problem.text
    assert f"remove {files.record}" in problem.remedy


@pytest.mark.parametrize("content", ["[]", "{", "null", '{"written": []}', '{"sources": 1}', '"x"'])
def test_json_of_another_kind_is_a_damaged_record(workspace: Workspace, files: InstanceFiles, content: str) -> None:
    """JSON alone does not make a record."""
    files.record.write_text(content)

    assert problem_of(workspace).path == files.record


def test_a_record_of_an_earlier_version_is_whole(workspace: Workspace, files: InstanceFiles) -> None:
    """Attributes may be missing or unknown."""
    files.record.write_text('{"manifest": "x", "of another version": 1}')

    assert not damage.find(workspace, INSTANCE, NOTHING)


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_backup_is_named_and_kept(workspace: Workspace, files: InstanceFiles, kind: str) -> None:
    """An interrupted upgrade whose backup is damaged is not taken for a finished one."""
    files.backup.mkdir()
    complete = files.backup / COMPLETE
    complete.write_text(json.dumps(asdict(Backup(manifest="x", labels={"a": {}}, written={}))))
    (files.backup / "a.tar").write_bytes(b"x")
    assert not damage.find(workspace, INSTANCE, NOTHING)
    DAMAGE[kind][0](complete)

    problem = problem_of(workspace)

    assert problem.path == complete
    assert "so the interrupted upgrade cannot be undone" in problem.text
    assert os.path.lexists(complete)


def test_a_backup_without_its_archive_is_named(workspace: Workspace, files: InstanceFiles) -> None:
    """Each archive that the backup lists must be there."""
    files.backup.mkdir()
    (files.backup / COMPLETE).write_text(json.dumps({"manifest": "x", "labels": {"a": {}}, "written": {}}))

    assert problem_of(workspace).path == files.backup / "a.tar"


@pytest.mark.parametrize("place", ["credentials", "directory", "seeds", "backup"])
def test_a_file_in_the_place_of_a_directory_is_named(workspace: Workspace, files: InstanceFiles, place: str) -> None:
    """The first such place is reported, and what is below it cannot be."""
    path: Path = getattr(files, place)
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("")

    assert [(each.path, each.text) for each in damage.find(workspace, INSTANCE, WITH_DATA)] == [
        (path, "is not a directory")
    ]


def test_a_directory_in_the_place_of_a_saved_seed_is_named(workspace: Workspace, files: InstanceFiles) -> None:
    """The next `up` could neither read nor replace it."""
    (files.seeds / "volume.tar").mkdir(parents=True)

    assert problem_of(workspace).path == files.seeds / "volume.tar"
