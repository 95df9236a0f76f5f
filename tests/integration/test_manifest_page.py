"""docs/manifest.md: plain podman plays the manifest, and hubpod's commands work on the pod."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubpod.podman.cli import Podman
from hubpod_harness.steps import wait_until
from support.instances import PROJECT, SOURCES, CommandResult, RunningInstance, run_command
from support.recipe import blocks_of

BLOCKS = dict(blocks_of((PROJECT / "docs" / "manifest.md").read_text()))
PLAY, USE, REMOVE = BLOCKS
READY_S = 60.0
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: deploy-config
data:
  logLevel: "WARNING"
  devUsers: "testuser.project1"
  dummyAuthPassword: "a-password-of-this-test"
"""


@pytest.fixture
def running(podman: Podman) -> Iterator[RunningInstance]:
    """The instance of the page."""
    instance = RunningInstance(name="byhand", podman=podman)
    yield instance
    instance.down("--volumes")
    instance.remove_settings()
    assert not instance.remaining_resources()


def run_block(podman: Podman, directory: Path, block: str, configmap: Path | None = None) -> CommandResult:
    """Run a block of the page with this checkout's sources and the podman that hubpod uses."""
    script = BLOCKS[block] if block == PLAY else BLOCKS[PLAY].splitlines()[0] + "\n" + BLOCKS[block]
    for written, used in (
        ("combined.yaml", str(directory / "combined.yaml")),
        ("--fill-volumes", f"--fill-volumes {shlex.join(SOURCES)}"),
        ("./run invoke", f"{shlex.quote(sys.executable)} -m invoke"),
        ("kube play ", f"kube play --configmap {configmap} " if configmap else "kube play "),
    ):
        script = script.replace(written, used)
    return run_command(("bash", "-euo", "pipefail", "-c", script), env={**os.environ, **podman.conf_variables})


@pytest.mark.parametrize("has_configmap", [False, True], ids=["alone", "with a ConfigMap"])
def test_the_manifest_is_played_by_hand(running: RunningInstance, tmp_path: Path, *, has_configmap: bool) -> None:
    """The page's commands bring up a pod that gives a notebook, that `dev.up` takes for its own, and remove it."""
    configmap = tmp_path / "deploy-configmap.yaml"
    configmap.write_text(SETTINGS)

    played = run_block(running.podman, tmp_path, PLAY, configmap if has_configmap else None)
    assert played.code == 0, played.text
    wait_until("the pod", lambda: running.status["state"] == "ready", READY_S)
    used = run_block(running.podman, tmp_path, USE)
    assert used.code == 0, used.text
    again = running.up()
    filled = running.invoke("dev.manifest", "--fill-volumes", *SOURCES)
    removed = run_block(running.podman, tmp_path, REMOVE)

    assert again.code == 0, again.text
    assert "nothing changed" in again.text
    assert (filled.code, "exists, and uses the volumes" in filled.stderr) == (2, True), filled.text
    assert removed.code == 0, removed.text
    assert not running.remaining_resources()


def test_a_manifest_without_its_volumes_is_removed_completely(running: RunningInstance, tmp_path: Path) -> None:
    """Podman makes empty volumes without labels, and `down --volumes` removes those of the pod."""
    (tmp_path / "deploy-configmap.yaml").write_text(SETTINGS)
    manifest = running.invoke("dev.manifest", f"--deploy-dir={tmp_path}", *SOURCES)
    assert manifest.code == 0, manifest.text
    running.podman.run("kube", "play", "-", stdin=manifest.stdout.encode(), check=False)
    made = running.podman.listing("volume", "ls", "--quiet", f"--filter=name=^{running.resource}-")
    assert running.instance.volume("homes") in made

    down = running.down("--volumes")

    assert down.code == 0, down.text
    assert not running.podman.listing("volume", "ls", "--quiet", f"--filter=name=^{running.resource}-")
