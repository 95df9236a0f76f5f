"""Locks between commands, and what is remembered of an instance."""

import json
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from hubpod.environments import find_environment
from hubpod.instances import Instance
from hubpod.system.progress import Reporter
from hubpod.workspace import InstanceRecord, Workspace
from support.stand_ins import context_at, podman_returning


def test_a_second_command_waits_and_says_so(tmp_path: Path) -> None:
    """Two commands on one instance run one after the other.

    The second prints the reason for its wait.
    """
    workspace, told, order = Workspace(project=tmp_path), threading.Event(), []

    def second() -> None:
        with workspace.lock("x", lambda _: told.set()):
            order.append("second")

    with workspace.lock("x", lambda _: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


def test_a_killed_command_leaves_no_lock(tmp_path: Path) -> None:
    """A lock ends with the process that held it, even when that was killed."""
    code = (
        "import os, signal; from pathlib import Path; from hubpod.workspace import Workspace\n"
        f"with Workspace(project=Path({str(tmp_path)!r})).lock('x', print): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)

    with Workspace(project=tmp_path).lock("x", lambda line: (_ for _ in ()).throw(AssertionError(line))):
        pass


def test_the_private_directory_is_private(tmp_path: Path) -> None:
    """Other accounts cannot read .hubpod."""
    with Workspace(project=tmp_path).lock("x", print):
        pass

    assert stat.S_IMODE((tmp_path / ".hubpod").stat().st_mode) == 0o700


def test_two_checkouts_do_not_work_on_one_instance_at_once(tmp_path: Path) -> None:
    """Checkouts share podman: the second command waits, although the instance's directories differ."""
    waiting, order = threading.Event(), []
    podman = podman_returning({"containers": {}, "volumes": {}})

    def second() -> None:
        reporter = cast("Reporter", SimpleNamespace(say=lambda _: waiting.set()))
        with replace(context_at(tmp_path / "two", podman), reporter=reporter).locked(INSTANCE):
            order.append("second")

    with context_at(tmp_path / "one", podman).locked(INSTANCE):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]


INSTANCE = Instance(environment=find_environment("dev_dummyauth"), name="one")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Each change keeps the other attributes, and only the owner can read the file."""
    files = Workspace(project=tmp_path).files(INSTANCE)
    files.update_record(manifest="kind: Pod", written={"volume": "digest"})
    files.update_record(sources={"bricsauthenticator": "/src"})

    expected = InstanceRecord(
        manifest="kind: Pod", written={"volume": "digest"}, sources={"bricsauthenticator": "/src"}
    )
    assert files.load_record() == expected
    assert [stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()] == [0o600]


def test_a_record_of_nothing_and_a_damaged_one_are_empty(tmp_path: Path) -> None:
    """An instance that was never up has no record, and a file that is not JSON counts as none."""
    files = Workspace(project=tmp_path).files(INSTANCE)
    assert files.load_record() == InstanceRecord()

    files.update_record(manifest="kind: Pod")
    (path,) = files.directory.iterdir()
    path.write_text("{")

    assert files.load_record() == InstanceRecord()


def test_the_files_of_an_older_hubpod_are_taken_over(tmp_path: Path) -> None:
    """An update of hubpod loses neither the way back of an upgrade nor what is in the volumes."""
    files = Workspace(project=tmp_path).files(INSTANCE)
    files.directory.mkdir(parents=True)
    (files.directory / "manifest.yaml").write_text("kind: Pod")
    (files.directory / "written.json").write_text(json.dumps({"volume": "unfinished"}))
    (files.directory / "sources.json").write_text(json.dumps({"bricsauthenticator": "/src"}))

    files.update_record(written={})

    assert files.load_record() == InstanceRecord(manifest="kind: Pod", sources={"bricsauthenticator": "/src"})
