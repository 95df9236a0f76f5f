"""Failures: the error, its remedy and exit code, and recovery by the next dev.up."""

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

from hubpod.components.assembly import pod_names
from support.instances import PROJECT, SOURCES, RunningInstance, argv, run_invoke
from support.sources import write_project


def test_a_stopped_pod_is_started_again(instances: Callable[[], RunningInstance]) -> None:
    """A pod that was stopped, as by a reboot, is started again with its data."""
    running = instances()
    assert running.up().code == 0
    as_user = ("runuser", "-u", "testuser.project1", "--")
    running.execute("slurm", *as_user, "touch", "/home/project1/testuser.project1/mine")
    running.podman.run("pod", "stop", *pod_names(running.instance))
    assert running.status["state"] == "down"

    result = running.up()

    assert result.code == 0, result.text
    assert running.status["state"] == "ready"
    assert "mine" in running.execute("slurm", *as_user, "ls", "/home/project1/testuser.project1")


def test_an_incomplete_pod_is_recreated(instances: Callable[[], RunningInstance]) -> None:
    """Empty pods of the same names, as left by a killed command, are replaced."""
    running = instances()
    for name in pod_names(running.instance):
        running.podman.run("pod", "create", "--name", name)

    result = running.up()

    assert result.code == 0, result.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTAINER_HOST", "tcp://127.0.0.1:1"),
        ("CONTAINER_CONNECTION", "elsewhere"),
        ("CONTAINERS_CONF", "[engine]\nremote = true\n"),
    ],
)
def test_a_remote_podman_is_refused(
    instances: Callable[[], RunningInstance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    """Before anything is built, up and the doctor name the service that the developer's environment chooses."""
    (tmp_path / "containers.conf").write_text(value)
    monkeypatch.setenv(name, value if name != "CONTAINERS_CONF" else str(tmp_path / "containers.conf"))
    running = instances()

    up = running.up()
    doctor = run_invoke("dev.doctor")

    monkeypatch.undo()
    assert up.code == 4, up.text
    for text in (up.text, doctor.text):
        assert "podman uses a remote service" in text
        assert name == "CONTAINERS_CONF" or f"{name}={value}" in text
    assert not running.remaining_resources()


def test_a_foreign_volume_is_left_alone(instances: Callable[[], RunningInstance]) -> None:
    """A volume without hubpod's label is neither used nor removed, and the error has a remedy."""
    running = instances()
    volume = f"{running.resource}-homes"
    running.podman.run("volume", "create", volume)

    result = running.up()

    assert result.code == 4
    assert f"podman volume rm {volume}" in result.stderr
    assert not running.remaining_resources()
    running.podman.run("volume", "rm", volume)


def test_a_port_in_use_is_reported_before_the_start(instances: Callable[[], RunningInstance]) -> None:
    """A port in use gives exit code 4 and a remedy, and leaves nothing behind."""
    running = instances()
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = running.up(f"--port={server.getsockname()[1]}")

    assert result.code == 4
    assert "is taken" in result.stderr
    assert not running.remaining_resources()


def test_a_changed_setting_reaches_the_hub(instances: Callable[[], RunningInstance]) -> None:
    """The next dev.up applies an edited deploy ConfigMap, in a site's spellings."""
    running = instances()
    assert running.up().code == 0
    file = Path(running.status["deploy_dir"]) / "deploy-configmap.yaml"
    text = file.read_text().replace('"INFO"', "warning").replace('"/jupyter"', "/elsewhere/")
    text = text.replace('devAdmins: ""', "devAdmins: null").replace("otheruser.project1", "newuser.project3")
    file.write_text(f"{text}  hubConnectUrl: http://localhost:8081/\n  aKeyOfTheSite: x\n")

    result = running.up()

    assert result.code == 0, result.text
    assert "aKeyOfTheSite: is not a known key" in result.stderr
    assert running.execute("jupyterhub", "printenv", "DEPLOY_CONFIG_LOG_LEVEL") == "WARN\n"
    assert running.status["url"].endswith("/elsewhere")
    assert running.login("newuser").user == "newuser"


def test_a_hub_that_does_not_start_is_reported_with_its_log(
    instances: Callable[[], RunningInstance], tmp_path: Path
) -> None:
    """A source that breaks the hub ends dev.up with the hub's log, and leaves nothing behind."""
    running = instances()
    directory = tmp_path / "broken"
    shutil.copytree(PROJECT / "packages" / "bricsauthenticator", directory)
    next(directory.glob("src/*/__init__.py")).write_text("raise RuntimeError('broken on purpose')\n")

    result = running.invoke("dev.up", f"--source=bricsauthenticator={directory}")

    assert result.code == 7
    assert "broken on purpose" in result.stderr
    assert not running.remaining_resources()


def test_a_source_without_its_package_changes_nothing(instances: Callable[[], RunningInstance]) -> None:
    """A directory that is not the source is refused before anything is built or removed."""
    running = instances()
    assert running.up().code == 0
    before = running.podman.containers(running.instance.labels)

    result = running.invoke("dev.up", f"--source=bricsauthenticator={PROJECT}")

    assert result.code == 5
    assert f"{PROJECT} does not contain bricsauthenticator but the project hubpod" in result.stderr
    assert f"give {PROJECT}/packages/bricsauthenticator" in result.stderr
    assert running.podman.containers(running.instance.labels) == before


def test_a_failing_build_names_its_step(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """A failing build gives exit code 6, the failing step and its last lines."""
    system = "[build-system]\nrequires = []\nbuild-backend = 'no_such_backend'\n"
    write_project(tmp_path, f"{system}[project]\nname = 'slurmspawner_wrappers'\nversion = '1'\n")

    result = instances().invoke("dev.up", f"--source=slurmspawner_wrappers={tmp_path}")

    assert result.code == 6
    assert "STEP" in result.stderr
    assert "no_such_backend" in result.stderr


@pytest.mark.parametrize("moment", ["settings", "images", "volumes", "pod started", "last"])
def test_an_interrupt_leaves_nothing_behind(instances: Callable[[], RunningInstance], moment: str) -> None:
    """Ctrl-C in a phase gives exit code 130, and the command can be run again."""
    running = instances()
    command = argv("dev.up", f"--instance={running.name}", *SOURCES)
    with subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, text=True
    ) as process:
        assert process.stderr
        output = []
        for line in process.stderr:
            output.append(line)
            if moment in line or (moment == "last" and "pod started" in line):
                if moment == "last":
                    time.sleep(0.5)  # into the wait for readiness, which prints nothing before its end
                os.killpg(process.pid, signal.SIGINT)
                break
        output += list(process.stderr)

    assert process.returncode == 130, "".join(output)
    assert "interrupted" in "".join(output)
    assert not running.remaining_resources()


def processes(*words: str) -> list[str]:
    """Return the ids of all processes with exactly these arguments, also in containers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_text().split("\0")[:-1] == list(words):
                found.append(path.parent.name)
    return found


def layer_of(pid: str) -> Path:
    """Return the upper directory of a container's file system, by a process in it."""
    found = re.search(r"upperdir=([^,\s]+)", Path(f"/proc/{pid}/mountinfo").read_text())
    assert found
    return Path(found[1])


def test_an_interrupt_ends_the_running_build_step(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """Ctrl-C ends the current step of a build, and removes the build's containers."""
    # A unique number, because other builds may run on this machine.
    step = ("sleep", f"600.{secrets.randbelow(10**9)}")
    scripts = "slurmspawner_sbatch slurmspawner_squeue slurmspawner_scancel"
    (tmp_path / "setup.py").write_text(f"import os  # declares {scripts}\nos.execvp('sleep', {step!r})\n")
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
        _, output = process.communicate(timeout=60)

    assert process.returncode == 130, output
    assert not processes(*step)
    assert not layer.exists()


def test_the_next_up_recovers_from_a_killed_one(instances: Callable[[], RunningInstance]) -> None:
    """The next dev.up recovers from a SIGKILL during the creation of the pod.

    The kill comes before netavark's work, because hubpod cannot remove a port rule that netavark leaves behind.
    """
    running = instances()
    command = argv("dev.up", f"--instance={running.name}", *SOURCES)
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, start_new_session=True, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "volumes" in line:
                os.killpg(process.pid, signal.SIGKILL)
                break

    result = running.up()

    assert result.code == 0, result.text


def test_two_instances_run_side_by_side(running: RunningInstance, instances: Callable[[], RunningInstance]) -> None:
    """A second instance gets its own port and a notebook while the first keeps running."""
    second = instances()

    result = second.up()

    assert result.code == 0, result.text
    assert second.status["url"] != running.status["url"]
    assert second.invoke("dev.spawn").code == 0
    assert running.status["state"] == "ready"


def test_down_succeeds_without_an_instance(instances: Callable[[], RunningInstance]) -> None:
    """Scripts can run dev.down without a check."""
    assert instances().invoke("dev.down", "--volumes").code == 0


def test_spawn_without_an_instance_names_the_remedy(instances: Callable[[], RunningInstance]) -> None:
    """dev.spawn gives exit code 8 and the command that brings up the instance."""
    result = instances().invoke("dev.spawn")

    assert result.code == 8
    assert "invoke dev.up" in result.stderr


def test_an_old_podman_is_refused(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """The error names the required version."""
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
