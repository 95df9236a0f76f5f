"""The job script, run by bash with programs of the test in place of conda's and Slurm's."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batchspawner import format_template  # type: ignore[import-untyped]

from bricsauthenticator import BricsSlurmSpawner
from hubpod.client.deadline import Deadline
from hubpod.components.assembly import instance_spec
from hubpod.environments import find_environment
from support.sites import load_hub_configuration, site

ACTIVATE = 'echo "activated $*"; export PATH="{bin}:$PATH"\n'
SRUN = """#!/bin/sh
echo "step $*"
env | grep ^JUPYTER_PATH=
touch {started}
while [ ! -e {end} ]; do sleep 0.02; done
exit $(cat {end})
"""
WAIT_S = 30


class Job:
    """A run of the job script.

    Attributes:
        directory: Its files: conda's prefix, the step that is the server, and marks between it and the test.
    """

    def __init__(self, directory: Path, spawner: Any) -> None:
        self.directory, self._spawner = directory, spawner
        binaries = directory / "conda" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "activate").write_text(ACTIVATE.format(bin=binaries))
        (binaries / "srun").write_text(SRUN.format(started=directory / "started", end=directory / "end"))
        (binaries / "srun").chmod(0o755)

    def script(self, **chosen: str) -> str:
        """Render the script."""
        own = {"username": "ada.project1", "homedir": str(self.directory), "keepvars": "", "epilogue": "echo over"}
        names = {name.removeprefix("req_") for name in self._spawner.trait_names() if name.startswith("req_")}
        values = {name: getattr(self._spawner, f"req_{name}") for name in names - own.keys()}
        own["cmd"] = "batchspawner-singleuser"
        return str(format_template(self._spawner.batch_script, **{**values, **own, **chosen}))

    def start(self, **variables: str) -> "subprocess.Popen[str]":
        """Start the script, and wait until its server runs."""
        environment = {
            "PATH": os.environ["PATH"],
            "JUPYTERHUB_BRICS_CONDA_PREFIX_DIR": str(self.directory / "conda"),
            "JUPYTERHUB_BRICS_JUPYTER_DATA_DIR": "/data",
        }
        (self.directory / "script").write_text(self.script())
        process = subprocess.Popen(
            ["/bin/bash", self.directory / "script"],
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = Deadline(WAIT_S, "the start of the server")
        while not (self.directory / "started").exists():
            assert process.poll() is None
            deadline.pause(0.02)
        return process

    def end_server(self, status: int = 0) -> None:
        """End the server with an exit status."""
        (self.directory / "end.new").write_text(f"{status}\n")
        (self.directory / "end.new").rename(self.directory / "end")


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """A job of the first environment; its server ends with the test."""
    config = load_hub_configuration(instance_spec(site(find_environment("dev_dummyauth"))), tmp_path / "hub")
    created = Job(tmp_path, BricsSlurmSpawner(config=config))
    yield created
    created.end_server()


@pytest.mark.parametrize(
    ("known", "wanted"), [({}, "/data"), ({"JUPYTER_PATH": "/of/the/site"}, "/data:/of/the/site")], ids=["none", "one"]
)
def test_the_server_finds_the_sites_data(job: Job, known: dict[str, str], wanted: str) -> None:
    """Kernels and settings of the site's data directory come before those of the user's own path."""
    process = job.start(**known)
    job.end_server()
    output, _ = process.communicate(timeout=WAIT_S)

    assert f"JUPYTER_PATH={wanted}\n" in output
    assert "activated jupyter-user-env\n" in output
    assert "step --export=ALL batchspawner-singleuser\n" in output


def test_the_log_states_that_the_server_has_ended(job: Job) -> None:
    """The user finds in the job's log whether the script or the server has ended, and the epilogue runs."""
    process = job.start()
    job.end_server()
    output, _ = process.communicate(timeout=WAIT_S)

    assert output.endswith("the notebook server exited\nover\n")
    assert process.returncode == 0


def test_a_failed_server_fails_the_job(job: Job) -> None:
    """Slurm and the hub learn the exit status of the server."""
    process = job.start()
    job.end_server(3)
    process.communicate(timeout=WAIT_S)

    assert process.returncode == 3


def test_a_cancelled_job_waits_for_its_server(job: Job) -> None:
    """SIGTERM reaches script and server: the script states it, lets the server end and runs the epilogue."""
    process = job.start()
    process.send_signal(signal.SIGTERM)
    job.end_server()
    output, _ = process.communicate(timeout=WAIT_S)

    assert "received SIGTERM\n" in output
    assert output.endswith("the notebook server exited\nover\n")


@pytest.mark.parametrize(
    ("chosen", "directive"),
    [
        ({"gres": "gpu:gh200:1"}, "--gres=gpu:gh200:1"),
        ({"nprocs": "4"}, "--cpus-per-task=4"),
        ({"memory": "8G"}, "--mem=8G"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sites_own_requirements_become_directives(job: Job, chosen: dict[str, str], directive: str) -> None:
    """A site sets batchspawner's traits such as req_gres; without them there is no directive."""
    option = directive.partition("=")[0]

    assert f"#SBATCH {directive}\n" in job.script(**chosen)
    assert option not in job.script(**dict.fromkeys(chosen, ""))
