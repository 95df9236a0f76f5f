"""podman's commands for pods, containers, volumes and images as methods of one class."""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubpod.errors import MachineError
from hubpod.labels import MANAGED_BY
from hubpod.pod import STOP_GRACE_S
from hubpod.podman.answers import ContainerState, Volume, container_state
from hubpod.system import process
from hubpod.system.private_files import user_directory
from hubpod.system.process import CommandError, Result

MINIMUM_VERSION = (4, 3)
"""The oldest podman that plays the manifests unchanged. It is the version in Debian 12."""

CONF_OVERRIDE_VERSION = (4, 7)
"""Since this version CONTAINERS_CONF_OVERRIDE extends the machine's containers.conf. CONTAINERS_CONF replaces it."""

CACHE_PER_USER_VERSION = (4, 5)
"""Before this version buildah kept the cache mounts of all users in one directory, owned by the first of them."""

BUSY = ("device or resource busy",)
GONE = ("no such ", " not known")
"""Transient failures: a mount in progress, or an object that another process removed while podman listed it."""

TRIES, PAUSE_S = 20, 0.5
"""How often, and with which pause in seconds, a command is retried after a transient failure."""


@dataclass(frozen=True, kw_only=True)
class Podman:
    """The podman of this machine.

    Attributes:
        executable: Name or path of the program.
        containers_conf: A project-local containers.conf, where the machine needs one (see machine.py).
    """

    executable: str = "podman"
    containers_conf: Path | None = None
    _versions: list[tuple[int, ...]] = field(default_factory=list, repr=False, compare=False)

    @property
    def env(self) -> dict[str, str]:
        """The environment variables for podman."""
        env = {**os.environ, **self.conf_variables}
        if os.getuid() and self.version < CACHE_PER_USER_VERSION:
            env.setdefault("TMPDIR", str(user_directory()))
        return env

    @property
    def conf_variables(self) -> dict[str, str]:
        """The variable that selects the project-local containers.conf, or nothing without that file."""
        if not self.containers_conf:
            return {}
        override = self.version >= CONF_OVERRIDE_VERSION
        return {"CONTAINERS_CONF_OVERRIDE" if override else "CONTAINERS_CONF": str(self.containers_conf)}

    @property
    def version(self) -> tuple[int, ...]:
        """The version, such as ``(4, 3, 1)``.

        Raises:
            MachineError: podman is missing or does not print its version.
        """
        if not self._versions:
            result = process.run([self.executable, "--version"], check=False)
            found = re.search(r"(\d+)\.(\d+)\.(\d+)", result.stdout)
            if not result.ok or not found:
                raise MachineError(
                    "`podman --version` prints no version", detail=result.last_lines, remedy="reinstall podman"
                )
            self._versions.append(tuple(int(part) for part in found.groups()))
        return self._versions[0]

    def command(self, *args: str) -> list[str]:
        """Return the argument list of a podman command."""
        return [self.executable, *args]

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, timeout_s: float | None = None) -> Result:
        """Run a podman command.

        Raises:
            CommandError: The command failed, and check is true.
        """
        return process.run(self.command(*args), stdin=stdin, env=self.env, check=check, timeout_s=timeout_s)

    def run_with_retries(self, *args: str, transient: Sequence[str]) -> Result:
        """Run a podman command, and retry it while it fails with one of the transient messages.

        Raises:
            CommandError: The command failed with another message, or with every retry.
        """
        for _ in range(TRIES):
            result = self.run(*args, check=False)
            if result.ok:
                return result
            if not any(failure in result.stderr for failure in transient):
                break
            time.sleep(PAUSE_S)
        raise CommandError(result)

    def listing(self, *args: str) -> list[str]:
        """Run a listing command and return the words of its output, such as names."""
        return self.run_with_retries(*args, transient=GONE).stdout.split()

    def rows(self, *args: str) -> list[dict[str, Any]]:
        """Run a listing command and return its JSON rows, with podman's own keys."""
        return list(json.loads(self.run_with_retries(*args, "--format=json", transient=GONE).stdout or "[]"))

    def stream(self, *args: str, on_line: Callable[[str], None]) -> Result:
        """Run a podman command and pass on its output line by line, without checking the exit status."""
        return process.stream(self.command(*args), on_line=on_line, env=self.env)

    def attach(self, *args: str) -> int:
        """Run a podman command on this terminal, and return its exit status."""
        return process.attach(self.command(*args), env=self.env)

    # -- the machine ------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return the report of ``podman info`` about host and storage."""
        info: dict[str, Any] = json.loads(self.run("info", "--format", "json").stdout)
        return info

    def smoke_test(self) -> Result:
        """Start and remove an empty pod, to test runtime, cgroups, limits and network."""
        name = f"hubpod-smoke-{secrets.token_hex(4)}"
        try:
            created = self.run("pod", "create", "--name", name, f"--label={MANAGED_BY}=hubpod", check=False)
            return self.run("pod", "start", name, check=False) if created.ok else created
        finally:
            self.run("pod", "rm", "--force", "--ignore", name, check=False)

    # -- images -----------------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """Return the id of an image, or None if it is missing."""
        result = self.run("image", "inspect", "--format", "{{.Id}}", reference, check=False)
        return result.stdout.strip() if result.ok else None

    def image_ids(self, references: Sequence[str]) -> dict[str, str]:
        """Return the ids of the images that exist, by reference (registry, name and tag)."""
        # podman fails if one of the images is missing, but prints the others all the same.
        template = "{{.Id}} {{range .RepoTags}}{{.}} {{end}}"
        rows = self.run("image", "inspect", "--format", template, *references, check=False).stdout.splitlines()
        found = {tag: words[0] for words in map(str.split, rows) for tag in words[1:]}
        return {reference: found[reference] for reference in references if reference in found}

    # -- volumes ----------------------------------------------------------------------------------------------------

    def volumes(self, labels: Mapping[str, str]) -> dict[str, Volume]:
        """Return the volumes with all these labels, by name."""
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        rows = self.rows("volume", "ls", *filters)
        # podman combines several label filters by "or", so the rows are filtered again.
        return {
            row["Name"]: Volume(name=row["Name"], labels=row.get("Labels") or {})
            for row in rows
            if labels.items() <= (row.get("Labels") or {}).items()
        }

    def remove_volumes(self, names: Sequence[str]) -> None:
        """Remove those of the volumes that exist."""
        if names:
            self.run("volume", "rm", "--force", *names)

    # -- pods -------------------------------------------------------------------------------------------------------

    def play(self, manifest: str) -> None:
        """Create and start the pods and volumes of a manifest.

        Raises:
            CommandError: podman refused the manifest, or a container did not start.
        """
        result = self.run("kube", "play", "-", stdin=manifest.encode(), check=False)
        # podman 4.3 exits with 0 even if a container failed to start. The errors are on standard error.
        if not result.ok or "failed to start" in result.stderr:
            raise CommandError(result)

    def remove_pod(self, name: str) -> None:
        """Stop and remove a pod with its containers, if it exists."""
        # `pod rm --force` of a running pod stops one container after the other, which takes four seconds longer.
        self.run("pod", "stop", "--ignore", f"--time={STOP_GRACE_S}", name, check=False)
        # A process left by a killed start may still be mounting a container's directories.
        self.run_with_retries("pod", "rm", "--force", "--ignore", name, transient=BUSY)

    def pod_labels(self) -> dict[str, Mapping[str, str]]:
        """Return the labels of every pod, by its name."""
        return {row["Name"]: row.get("Labels") or {} for row in self.rows("pod", "ps")}

    def pod_exists(self, name: str) -> bool:
        """Whether a pod of that name exists, in any state."""
        result = self.run("pod", "exists", name, check=False)
        if result.returncode not in {0, 1}:  # podman-pod-exists(1): 1 means no, others are errors
            raise CommandError(result)
        return result.ok

    def containers(self, labels: Mapping[str, str]) -> dict[str, ContainerState]:
        """Return the containers with all these labels by name, except infrastructure."""
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        rows = self.rows("ps", "--all", *filters)
        states = (container_state(row) for row in rows if not row.get("IsInfra"))
        return {state.name: state for state in states if labels.items() <= state.labels.items()}

    def restart(self, container: str) -> None:
        """Stop a container gracefully and start it again, while the others of its pod keep running."""
        self.run("restart", f"--time={STOP_GRACE_S}", container)

    def execute(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str | None = None,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Result:
        """Run a command inside a container, optionally as another user.

        The exit status is not checked.
        """
        options = [*([f"--user={user}"] if user else []), *(["--interactive"] if stdin is not None else [])]
        return self.run("exec", *options, container, *argv, stdin=stdin, check=False, timeout_s=timeout_s)

    def log(self, container: str, *, since: float = 0, timestamps: bool = False, tail: int = 0) -> str:
        """Return the log of a container, both streams in the order of time, or nothing on failure.

        Args:
            container: podman's name.
            since: Start of the log, in seconds since the epoch.
            timestamps: Begin each line with its time in ISO 8601.
            tail: Number of lines, the last ones; 0 for all.
        """
        options = [f"--since={since:.0f}", *(["--timestamps"] if timestamps else [])]
        options += [f"--tail={tail}"] if tail else []
        result = process.run(self.command("logs", *options, container), env=self.env, check=False, merged=True)
        return result.stdout if result.ok else ""
