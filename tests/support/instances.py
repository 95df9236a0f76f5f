"""Real instances on a real podman, controlled through the invoke commands."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubpod.client import HubClient, Session
from hubpod.components.assembly import pod_names, podman_name
from hubpod.environments import Stage
from hubpod.instances import Instance, find_instance
from hubpod.manifests.podman import tmpfs_prefix
from hubpod.podman.cli import Podman
from hubpod.settings.deploy_configmap import FILE_NAME
from hubpod.workspace import Workspace

PROJECT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 900
# The packages of this checkout, regardless of a developer's clones.
SOURCES = (
    f"--source=bricsauthenticator={PROJECT / 'packages' / 'bricsauthenticator'}",
    f"--source=slurmspawner_wrappers={PROJECT / 'packages' / 'slurmspawner_wrappers'}",
)


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Standard output and standard error."""
        return self.stdout + self.stderr


def argv(*words: str) -> list[str]:
    """Return the argument list of an invoke command."""
    return [sys.executable, "-m", "invoke", *words]


def run_command(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> CommandResult:
    """Run a command without standard input.

    Args:
        command: Program and arguments.
        env: Variables in addition to this process's environment.
        cwd: Working directory.
    """
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return CommandResult(code=result.returncode, stdout=result.stdout, stderr=result.stderr)


def run_invoke(*words: str, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> CommandResult:
    """Run an invoke command in the project's directory."""
    return run_command(argv(*words), env=env, cwd=cwd)


@dataclass(frozen=True, kw_only=True)
class RunningInstance:
    """An instance with its commands.

    Attributes:
        name: Name of the instance.
        podman: The podman that the instance runs on.
        environment: Name of its environment.
        project: The checkout that it belongs to.
    """

    name: str
    podman: Podman
    environment: str = "dev_dummyauth"
    project: Path = PROJECT

    @property
    def resource(self) -> str:
        """The name of the hub's pod."""
        return self.instance.resource

    @property
    def instance(self) -> Instance:
        """The environment and name as a value."""
        return find_instance(self.environment, self.name)

    def invoke(self, task: str, *words: str) -> CommandResult:
        """Run an invoke command for this instance."""
        options = (f"--environment={self.environment}", f"--instance={self.name}")
        return run_invoke(task, *options, *words, cwd=self.project)

    @property
    def production(self) -> bool:
        """Whether the `prod.*` commands apply."""
        return self.instance.environment.stage is Stage.PROD

    def up(self, *words: str) -> CommandResult:
        """Run the environment's `up`, in development with the packages of this checkout."""
        return self.invoke("prod.up", *words) if self.production else self.invoke("dev.up", *SOURCES, *words)

    def down(self, *words: str) -> CommandResult:
        """Run the environment's `down`."""
        return self.invoke("prod.down", "--yes", *words) if self.production else self.invoke("dev.down", *words)

    @property
    def status(self) -> dict[str, Any]:
        """The output of the environment's `status --json`."""
        command = "prod.status" if self.production else "dev.status"
        status: dict[str, Any] = json.loads(self.invoke(command, "--json").stdout)
        return status

    @property
    def password(self) -> str:
        """The password of the login form."""
        document = yaml.safe_load((Path(self.status["deploy_dir"]) / FILE_NAME).read_text())
        return str(document["data"]["dummyAuthPassword"])

    def login(self, user: str = "testuser") -> Session:
        """Log in through the form."""
        return HubClient(self.status["url"]).login(user, self.password)

    def execute(self, container: str, *words: str) -> str:
        """Run a command in a container, and return its standard output."""
        return self.podman.execute(self.podman_name(container), words).stdout

    def podman_name(self, container: str) -> str:
        """Return podman's name of a container."""
        return podman_name(self.instance, container)

    @property
    def settings_directory(self) -> Path:
        """The instance's own deploy directory, in which `up` generates settings."""
        return Workspace(project=self.project).files(self.instance).directory

    def remove_settings(self) -> None:
        """Remove the generated settings."""
        shutil.rmtree(self.settings_directory, ignore_errors=True)

    def remaining_resources(self) -> list[str]:
        """List every podman resource of this instance."""
        labels = self.instance.labels
        pods = [name for name in pod_names(self.instance) if self.podman.pod_exists(name)]
        temporary = f"--filter=name=^{tmpfs_prefix(self.resource)}"
        return [
            *pods,
            *self.podman.containers(labels),
            *self.podman.volumes(labels),
            *self.podman.listing("volume", "ls", "--quiet", temporary),
        ]


@contextmanager
def temporary_instance(
    podman: Podman, *, environment: str = "dev_dummyauth", project: Path = PROJECT
) -> Iterator[RunningInstance]:
    """Yield an instance with a name of its own, which need not be up, and remove it with its data and settings.

    Args:
        podman: The podman that the instance runs on.
        environment: Name of its environment.
        project: The checkout that it belongs to.
    """
    name = f"it-{secrets.token_hex(4)}"
    running = RunningInstance(name=name, podman=podman, environment=environment, project=project)
    try:
        yield running
    finally:
        down = running.down("--volumes")
        running.remove_settings()
    assert down.code == 0, down.text
    assert not running.remaining_resources()


@contextmanager
def running_instance(podman: Podman) -> Iterator[RunningInstance]:
    """Bring up an instance for the block."""
    with temporary_instance(podman) as running:
        up = running.up()
        assert up.code == 0, up.text
        yield running
