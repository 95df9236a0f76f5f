"""Real instances on a real podman, driven as a person drives them: by typing commands."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hubpod.client import HubClient, Session
from hubpod.environments import Instance, Stage, find_instance
from hubpod.manifests.podman import tmpfs_prefix
from hubpod.podman.cli import Podman
from hubpod.settings.deploy_configmap import FILE_NAME
from hubpod.workspace import Workspace

PROJECT = Path(__file__).parents[2]
COMMAND_TIMEOUT_S = 900
# The packages as they lie here, whatever a developer has in the clones.
SOURCES = (
    f"--source=bricsauthenticator={PROJECT / 'packages' / 'bricsauthenticator'}",
    f"--source=slurmspawner_wrappers={PROJECT / 'packages' / 'slurmspawner_wrappers'}",
)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """How a typed command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that it wrote."""
        return self.stdout + self.stderr


def argv(*words: str) -> list[str]:
    """The argument list of an invoke command."""
    return [sys.executable, "-m", "invoke", *words]


def run_command(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> Typed:
    """Run a command to its end, with nobody at its keyboard."""
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
    return Typed(code=result.returncode, stdout=result.stdout, stderr=result.stderr)


def type_(*words: str, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> Typed:
    """Type an invoke command in the project's folder."""
    return run_command(argv(*words), env=env, cwd=cwd)


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running instance."""

    name: str
    podman: Podman
    environment: str = "dev_dummyauth"
    project: Path = PROJECT

    @property
    def resource(self) -> str:
        """The pod's name."""
        return self.instance.resource

    @property
    def instance(self) -> Instance:
        """Which one it is."""
        return find_instance(self.environment, self.name)

    def type(self, task: str, *words: str) -> Typed:
        """Type a command for this instance."""
        return type_(task, f"--environment={self.environment}", f"--instance={self.name}", *words, cwd=self.project)

    @property
    def production(self) -> bool:
        """Whether prod.* commands are the ones for it."""
        return self.instance.environment.stage is Stage.PROD

    def up(self, *words: str) -> Typed:
        """Type the `up` of its environment, with the packages as they lie here."""
        return self.type("prod.up", *words) if self.production else self.type("dev.up", *SOURCES, *words)

    def down(self, *words: str) -> Typed:
        """Type the `down` of its environment."""
        return self.type("prod.down", "--yes", *words) if self.production else self.type("dev.down", *words)

    @property
    def status(self) -> dict[str, Any]:
        """What dev.status tells."""
        command = "prod.status" if self.production else "dev.status"
        answer: dict[str, Any] = json.loads(self.type(command, "--json").stdout)
        return answer

    @property
    def password(self) -> str:
        """The password of the login form."""
        document = yaml.safe_load((Path(self.status["deploy_dir"]) / FILE_NAME).read_text())
        return str(document["data"]["dummyAuthPassword"])

    def login(self, user: str = "testuser") -> Session:
        """Log in as a browser does."""
        return HubClient(self.status["url"]).login(user, self.password)

    def inside(self, container: str, *words: str) -> str:
        """What a command in a container writes."""
        return self.podman.execute(f"{self.resource}-{container}", words).stdout

    def forget(self) -> None:
        """Remove the settings that were made for it."""
        shutil.rmtree(Workspace(project=self.project).files(self.instance).directory, ignore_errors=True)

    def leftovers(self) -> list[str]:
        """Everything that podman still has of this instance."""
        labels = self.instance.labels
        pods = [self.resource] if self.podman.pod_exists(self.resource) else []
        temporary = f"--filter=name=^{tmpfs_prefix(self.resource)}"
        return [
            *pods,
            *self.podman.containers(labels),
            *self.podman.volumes(labels),
            *self.podman.listing("volume", "ls", "--quiet", temporary),
        ]
