"""The commands for an instance's volumes."""

import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

from hubpod.labels import LABEL_ROOT
from support.instances import RunningInstance

HOME = "/home/project1/testuser.project1"
AS_USER = ("runuser", "-u", "testuser.project1", "--")


def test_a_volume_survives_export_and_import(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """An import restores content and owners, and a reset restores the initial content."""
    running, archive = instances(), tmp_path / "homes.tar"
    words = ("--name=homes", f"--file={archive}")
    assert running.up().code == 0
    running.execute("slurm", *AS_USER, "touch", f"{HOME}/mine")

    exported = running.invoke("dev.volumes", "export", *words)
    running.execute("slurm", *AS_USER, "rm", f"{HOME}/mine")
    assert running.invoke("dev.down").code == 0
    imported = running.invoke("dev.volumes", "import", *words)
    assert running.up().code == 0
    after_import = running.execute("slurm", *AS_USER, "ls", "-l", HOME)
    assert running.invoke("dev.down").code == 0
    reset = running.invoke("dev.volumes", "reset", "--name=homes")
    assert running.up().code == 0
    after_reset = running.execute("slurm", *AS_USER, "ls", HOME)

    assert (exported.code, imported.code, reset.code) == (0, 0, 0), exported.text + imported.text + reset.text
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with tarfile.open(archive) as members:
        assert f"./{HOME.removeprefix('/home/')}/mine" in {
            f"./{name.removeprefix('./')}" for name in members.getnames()
        }
    assert after_import.split()[-1] == "mine"
    assert "testuser.project1" in after_import
    assert "mine" not in after_reset


def test_operations_that_lose_data_are_refused(running: RunningInstance, tmp_path: Path) -> None:
    """Volumes in use, volumes written from the project and existing files are protected."""
    archive = tmp_path / "a.tar"
    archive.write_text("no archive")
    refused = {
        "import --name homes": "is not a complete tar archive",
        "export --name homes": "File exists",
        "export --name hmoes": "did you mean 'homes'?",
    }
    for words, sentence in refused.items():
        result = running.invoke("dev.volumes", *words.split(), f"--file={archive}")
        assert (result.code, sentence in result.stderr) == (2, True), result.text
    with tarfile.open(archive, "w"):
        pass
    result = running.invoke("dev.volumes", "import", "--name=homes", f"--file={archive}")
    assert (result.code, "is running and uses its volumes" in result.stderr) == (2, True), result.text
    result = running.invoke("dev.volumes", "import", "--name=hub-config", f"--file={archive}")
    assert (result.code, "is written from the project" in result.stderr) == (2, True), result.text

    listed = running.invoke("dev.volumes", "list").stdout
    assert "homes" in listed
    assert "credential" in listed


def test_roots_have_the_owner_and_mode_of_their_seeds(running: RunningInstance) -> None:
    """Only the reader of credentials can list their directory, and only the hub that of its database."""
    stated, found = {}, {}
    for name, volume in running.podman.volumes(running.instance.labels).items():
        stated[name] = volume.labels[LABEL_ROOT]
    for container in running.podman.containers(running.instance.labels):
        (about,) = json.loads(running.podman.run("container", "inspect", container).stdout)
        for mount in about["Mounts"]:
            if mount.get("Name") in stated:
                words = ("stat", "--format=%04a %u:%g", mount["Destination"])
                found[mount["Name"]] = running.podman.execute(container, words).stdout.strip()

    assert found == stated
    parts = {
        part: stated[running.instance.volume(part)] for part in ("hub-credentials", "proxy-credentials", "hub-data")
    }
    assert set(parts.values()) == {"0500 1000:1000", "0700 1000:1000"}
