"""From one command to a notebook that runs as a Slurm job."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hubpod.client import HubClient, LoginRefused, SpawnRefused
from hubpod.probe.spawn_timeline import STAGES
from support.instances import PROJECT, RunningInstance

COMMANDS = "import os; print(*(os.environ[name] for name in {names!r}))"


def test_up_returns_when_ready_and_prints_the_login(running: RunningInstance) -> None:
    """Every container is healthy, and the generated settings are private."""
    status = running.status

    assert status["state"] == "ready"
    assert {container["name"]: container["ready"] for container in status["containers"]} == {
        "jupyterhub": True,
        "proxy": True,
        "slurm": True,
    }
    file = Path(status["deploy_dir"]) / "deploy-configmap.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_user_gets_a_notebook(running: RunningInstance, tmp_path: Path) -> None:
    """dev.spawn logs in, spawns, runs a kernel, stops, checks the job, and draws the timeline."""
    result = running.invoke("dev.spawn", "--project=project2", "--json", f"--timeline={tmp_path / 'spawn.svg'}")

    assert result.code == 0, result.text
    report = json.loads(result.stdout)
    assert (report["user"], report["result"], report["node"]) == ("testuser", "20", f"{running.resource}-slurm")
    assert report["project"].startswith("project2")
    steps = [step["name"] for step in report["timeline"]]
    assert [steps[0], steps[1], *steps[-5:]] == ["login", "submit", "ready", "open", "kernel", "stop", "gone"]
    drawn = (tmp_path / "spawn.svg").read_text()
    assert not [stage.name for stage in STAGES if f"<title>{stage.name}: from " not in drawn]


def test_the_job_has_the_account_and_options_of_the_form(running: RunningInstance) -> None:
    """The job has the form's account, home, GPUs and time limit, and progress events."""
    session = running.login()
    options = {"brics_project": "project1.brics", "ngpus": "2", "runtime": "02:00:00"}

    server = session.spawn(options, deadline_s=60)
    try:
        with server.kernel() as kernel:
            names = ("USER", "HOME", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")
            user, home, gpus, job = kernel.execute(COMMANDS.format(names=names)).split()
            identity = kernel.execute("import subprocess; print(subprocess.check_output(['id'], text=True))")
        limit = running.execute("slurm", "squeue", "--noheader", f"--jobs={job}", "--format=%l %u %j").split()
    finally:
        server.stop(deadline_s=60)

    assert (user, home, gpus) == ("testuser.project1", "/home/project1/testuser.project1", "0,1")
    assert limit[:2] == ["2:00:00", "testuser.project1"]
    assert "(testuser.project1)" in identity
    assert "(jupyterusers)" in identity
    assert any(event.slurm and event.slurm.state == "RUNNING" for event in server.events)


def test_any_other_name_is_the_first_user(running: RunningInstance) -> None:
    """A name in devUsers is that user. Any other name is the first user."""
    assert running.login("somebody").user == "testuser"
    assert running.login("otheruser").user == "otheruser"


def test_a_wrong_password_is_refused(running: RunningInstance) -> None:
    """Only the password of the deploy ConfigMap gives a session."""
    with pytest.raises(LoginRefused):
        HubClient(running.status["url"]).login("testuser", "not the password")


def test_another_users_project_is_refused(running: RunningInstance) -> None:
    """A project of another user gives an error and no job."""
    with pytest.raises(SpawnRefused) as caught:
        running.login("otheruser").spawn({"brics_project": "project2.brics"}, deadline_s=30)

    assert caught.value.status == 400
    assert not running.execute("slurm", "squeue", "--noheader", "--user=otheruser.project1").strip()


def test_the_hub_restarts_without_cutting_connections(running: RunningInstance) -> None:
    """An open WebSocket of a kernel and the server both survive a restart of the hub."""
    session = running.login()
    server = session.spawn({"brics_project": "project1.brics"}, deadline_s=60)
    try:
        with server.kernel() as kernel:
            kernel.execute("before = 41")
            running.podman.run("restart", running.podman_name("jupyterhub"))
            assert kernel.execute("before + 1") == "42"
        result = running.up()
        assert result.code == 0, result.text
        assert "nothing changed" in result.text
        assert session.server().is_active()
    finally:
        server.stop(deadline_s=60)


def test_no_secret_of_a_spawn_is_in_an_argument_list(running: RunningInstance) -> None:
    """No process in the hub's and Slurm's containers has a token in its arguments."""
    watch = (
        "(until [ -e /tmp/enough ]; do "
        "for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$each; echo; done 2>/dev/null; done) | sort -u"
    )
    with ThreadPoolExecutor() as pool:
        seen = {name: pool.submit(running.execute, name, "sh", "-c", watch) for name in ("jupyterhub", "slurm")}
        try:
            server = running.login().spawn({"brics_project": "project1.brics"}, deadline_s=60)
            with server.kernel() as kernel:
                token = kernel.execute(COMMANDS.format(names=("JUPYTERHUB_API_TOKEN",)))
            server.stop(deadline_s=60)
        finally:
            for name in seen:
                running.execute(name, "touch", "/tmp/enough")  # noqa: S108 - a path inside the container
    lines = "".join(each.result() for each in seen.values())

    assert len(token) > 20
    assert "slurmspawner_sbatch" in lines
    assert token not in lines
    assert "JUPYTERHUB_API_TOKEN" not in lines


def test_podman_and_the_logs_show_no_secret(running: RunningInstance) -> None:
    """Password and tokens are neither in `podman inspect` of any resource nor in the logs."""
    names = [running.podman_name(name) for name in ("jupyterhub", "proxy", "slurm")]
    images = {container["image"] for container in running.status["containers"]}
    shown = [running.podman.run("container", "inspect", *names).stdout]
    shown += [running.podman.run("history", "--no-trunc", image).stdout for image in images]
    shown.append(running.invoke("dev.logs").text)
    token = running.execute("proxy", "cat", "/etc/hubpod/credentials/env/CONFIGPROXY_AUTH_TOKEN")

    assert len(token) > 20
    for text in shown:
        assert text
        assert running.password not in text
        assert token not in text


def test_the_hubs_key_runs_the_wrappers_only_for_users(running: RunningInstance) -> None:
    """Over SSH, sudo runs only the wrappers, and only as a user's account."""

    def ssh(*words: str) -> int:
        command = ["ssh", "-F", "/etc/jupyterhub/ssh_config", "slurm", *words]
        return running.podman.execute(running.podman_name("jupyterhub"), command).returncode

    wrapper = "/opt/jupyter/slurmspawner_wrappers/bin/slurmspawner_squeue"
    assert ssh("sudo", "-n", "-u", "testuser.project1", "SLURMSPAWNER_JOB_ID=mine", wrapper) == 0
    assert ssh("sudo", "-n", "-u", "testuser.project1", "/bin/sh", "-c", "id") != 0
    assert ssh("sudo", "-n", "-u", "testuser.project1", wrapper, "--all") != 0
    assert ssh("sudo", "-n", "-u", "root", "SLURMSPAWNER_JOB_ID=mine", wrapper) != 0
    assert ssh("sudo", "-n", "-u", "slurm", "SLURMSPAWNER_JOB_ID=mine", wrapper) != 0


def test_logs_and_exec_reach_a_container(running: RunningInstance) -> None:
    """dev.logs prints one container's log, and dev.exec keeps arguments and status unchanged."""
    assert "[ConfigProxy]" in running.invoke("dev.logs", "--container=proxy").stdout
    found = running.invoke("dev.logs", "--grep=JupyterHub is now running", "--since=24h")
    assert found.stdout
    for line in found.stdout.splitlines():
        assert line.startswith("jupyterhub | ")
        assert "JupyterHub is now running" in line
    assert running.invoke("dev.logs", "--since=2030-01-01").stdout == ""

    said = running.invoke("dev.exec", "slurm", "--", "printf", "%s|", "two words", "$HOME")
    failed = running.invoke("dev.exec", "slurm", "--", "sh", "-c", "exit 7")

    assert said.stdout == "two words|$HOME|"
    assert failed.code == 7


def test_the_hub_has_exactly_the_locked_packages(running: RunningInstance) -> None:
    """Installing our own source adds no package that the lock file excludes."""
    names = "from importlib.metadata import distributions as d; print(*sorted({each.name.lower() for each in d()}))"
    lock = (PROJECT / "containers" / "jupyterhub" / "requirements.lock").read_text()
    locked = {line.partition("==")[0] for line in lock.splitlines() if line[:1].isalpha()}

    said = running.invoke("dev.exec", "jupyterhub", "--", "/opt/jupyterhub/bin/python", "-c", names)

    assert {name.replace("_", "-").replace(".", "-") for name in said.stdout.split()} - locked == {"bricsauthenticator"}


def test_an_unknown_container_suggests_the_nearest(running: RunningInstance) -> None:
    """The error for a mistyped container suggests the nearest name."""
    result = running.invoke("dev.logs", "--container=slrum")

    assert result.code == 2
    assert "did you mean 'slurm'" in result.stderr


def test_slurm_stops_gracefully_on_sigterm(running: RunningInstance) -> None:
    """The hub's shared SSH login does not delay the stop until the container is killed."""
    podman, container = running.podman, running.podman_name("slurm")
    assert running.invoke("dev.spawn").code == 0  # leaves a shared SSH login

    podman.run("stop", "--time=60", container)
    status = podman.run("inspect", "--format={{.State.ExitCode}}", container).stdout.strip()
    up = running.up()

    assert status == "0"
    assert up.code == 0, up.text
