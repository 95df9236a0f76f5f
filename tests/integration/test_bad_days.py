"""Bad input and bad days: one sentence, the remedy, the exit code, and the next dev.up works."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.instances import PROJECT, SOURCES, RunningInstance, argv


def test_a_stopped_pod_is_brought_up_again(instances: Callable[[], RunningInstance]) -> None:
    """A pod that was stopped by hand, as a reboot does it, is started anew with its data kept."""
    running = instances()
    assert running.up().code == 0
    as_user = ("runuser", "-u", "testuser.project1", "--")
    running.execute("slurm", *as_user, "touch", "/home/project1/testuser.project1/mine")
    running.podman.run("pod", "stop", running.resource)
    assert running.status["state"] == "down"

    typed = running.up()

    assert typed.code == 0, typed.text
    assert running.status["state"] == "ready"
    assert "mine" in running.execute("slurm", *as_user, "ls", "/home/project1/testuser.project1")


def test_a_half_made_pod_is_made_whole(instances: Callable[[], RunningInstance]) -> None:
    """An empty pod of the same name, as a killed command leaves it, does not stand in the way."""
    running = instances()
    running.podman.run("pod", "create", "--name", running.resource)

    typed = running.up()

    assert typed.code == 0, typed.text


def test_a_volume_that_is_not_ours_is_left_alone(instances: Callable[[], RunningInstance]) -> None:
    """A volume that somebody made under a name of ours is neither used nor removed, and the way out is told."""
    running = instances()
    volume = f"{running.resource}-homes"
    running.podman.run("volume", "create", volume)

    typed = running.up()

    assert typed.code == 4
    assert f"podman volume rm {volume}" in typed.stderr
    assert not running.remaining_resources()
    running.podman.run("volume", "rm", volume)


def test_a_taken_port_is_told_before_anything_starts(instances: Callable[[], RunningInstance]) -> None:
    """A port that somebody else has gives exit code 4, the way out, and leaves nothing."""
    running = instances()
    with socket.create_server(("127.0.0.1", 0)) as server:
        typed = running.up(f"--port={server.getsockname()[1]}")

    assert typed.code == 4
    assert "is taken" in typed.stderr
    assert not running.remaining_resources()


def test_a_changed_setting_reaches_the_hub(instances: Callable[[], RunningInstance]) -> None:
    """An edited deploy ConfigMap is never silently skipped: the next dev.up applies it."""
    running = instances()
    assert running.up().code == 0
    file = Path(running.status["deploy_dir"]) / "deploy-configmap.yaml"
    file.write_text(
        file.read_text().replace("/jupyter", "/elsewhere").replace("otheruser.project1", "newuser.project3")
    )

    typed = running.up()

    assert typed.code == 0, typed.text
    assert running.status["url"].endswith("/elsewhere")
    assert running.login("newuser").user == "newuser"


def test_a_hub_that_does_not_start_is_shown_with_its_last_lines(
    instances: Callable[[], RunningInstance], tmp_path: Path
) -> None:
    """A source that breaks the hub ends dev.up with what the hub said, and leaves nothing behind."""
    running = instances()
    folder = tmp_path / "broken"
    shutil.copytree(PROJECT / "packages" / "bricsauthenticator", folder)
    next(folder.glob("src/*/__init__.py")).write_text("raise RuntimeError('broken on purpose')\n")

    typed = running.invoke("dev.up", f"--source=bricsauthenticator={folder}")

    assert typed.code == 7
    assert "broken on purpose" in typed.stderr
    assert not running.remaining_resources()


def test_a_source_that_cannot_be_built_names_the_step(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """A build that fails ends with exit code 6, the failing step and its last lines."""
    (tmp_path / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'no_such_backend'\n")

    typed = instances().invoke("dev.up", f"--source=slurmspawner_wrappers={tmp_path}")

    assert typed.code == 6
    assert "STEP" in typed.stderr
    assert "no_such_backend" in typed.stderr


@pytest.mark.parametrize("moment", ["settings", "images", "volumes", "pod started", "last"])
def test_an_interrupt_leaves_nothing_half_made(instances: Callable[[], RunningInstance], moment: str) -> None:
    """Ctrl-C in a phase ends with 130 and nothing left; the command can be run again."""
    running = instances()
    command = argv("dev.up", f"--instance={running.name}", *SOURCES)
    with subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, text=True
    ) as process:
        assert process.stderr
        told = []
        for line in process.stderr:
            told.append(line)
            if moment in line or (moment == "last" and "pod started" in line):
                if moment == "last":
                    time.sleep(0.5)  # into the wait for readiness, which tells nothing before its end
                os.killpg(process.pid, signal.SIGINT)
                break
        told += list(process.stderr)

    assert process.returncode == 130, "".join(told)
    assert "interrupted" in "".join(told)
    assert not running.remaining_resources()


def processes(*words: str) -> list[str]:
    """The processes of this machine, also those in containers, that were started with exactly these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_text().split("\0")[:-1] == list(words):
                found.append(path.parent.name)
    return found


def layer_of(pid: str) -> Path:
    """The folder into which a process in a container writes, which goes with the container."""
    found = re.search(r"upperdir=([^,\s]+)", Path(f"/proc/{pid}/mountinfo").read_text())
    assert found
    return Path(found[1])


def test_an_interrupted_build_leaves_no_step_running(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """Ctrl-C in a build ends the step that it was at, and leaves no container of the build."""
    # A number of its own, because other builds may be under way on this machine.
    step = ("sleep", f"600.{secrets.randbelow(10**9)}")
    (tmp_path / "setup.py").write_text(f"import os\nos.execvp('sleep', {step!r})\n")
    running = instances()
    command = argv("dev.up", f"--instance={running.name}", f"--source=slurmspawner_wrappers={tmp_path}")
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        deadline = time.monotonic() + 300
        while not (found := processes(*step)):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        layer = layer_of(found[0])
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 130, told
    assert not processes(*step)
    assert not layer.exists()


def test_a_killed_up_is_put_right_by_the_next(instances: Callable[[], RunningInstance]) -> None:
    """Kill -9 while podman begins with the pod is put right by the next dev.up.

    Not later, in the middle of netavark's work: a rule for a port that it leaves behind then is out of our reach.
    """
    running = instances()
    command = argv("dev.up", f"--instance={running.name}", *SOURCES)
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "volumes" in line:
                os.killpg(process.pid, signal.SIGKILL)
                break

    typed = running.up()

    assert typed.code == 0, typed.text


def test_two_instances_run_side_by_side(running: RunningInstance, instances: Callable[[], RunningInstance]) -> None:
    """A second instance gets a port of its own, and a notebook, while the first one goes on."""
    second = instances()

    typed = second.up()

    assert typed.code == 0, typed.text
    assert second.status["url"] != running.status["url"]
    assert second.invoke("dev.spawn").code == 0
    assert running.status["state"] == "ready"


def test_down_twice_is_no_error(instances: Callable[[], RunningInstance]) -> None:
    """dev.down of what is not there succeeds, so that scripts need not ask first."""
    assert instances().invoke("dev.down", "--volumes").code == 0


def test_what_needs_a_running_instance_says_how_to_get_one(instances: Callable[[], RunningInstance]) -> None:
    """dev.spawn on an instance that is down ends with exit code 8 and the command that brings it up."""
    typed = instances().invoke("dev.spawn")

    assert typed.code == 8
    assert "invoke dev.up" in typed.stderr


def test_an_unusable_podman_stops_early(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """A podman that is too old is refused at once with the version that is needed."""
    old = tmp_path / "podman"
    old.write_text("#!/bin/sh\necho podman version 3.4.4\n")
    old.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(
        argv("dev.up", f"--instance={instances().name}"),
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 4
    assert "4.3" in result.stderr
