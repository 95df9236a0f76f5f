"""podman in domain verbs: the only module that knows podman's command line and its answers."""

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
from hubpod.system.process import CommandError, Result

MINIMUM_VERSION = (4, 3)
"""The oldest podman that plays our manifests as they are: Debian 12's."""

CONF_OVERRIDE_VERSION = (4, 7)
"""From here on CONTAINERS_CONF_OVERRIDE adds to the machine's containers.conf; before, CONTAINERS_CONF replaces it."""

CACHE_PER_USER_VERSION = (4, 5)
"""Before, buildah kept the cache mounts of all users of a machine in one folder, which belongs to the first of them."""

BUSY = ("device or resource busy",)
GONE = ("no such ", " not known")
"""Failures that pass: something is being mounted just now; something was removed by others between two looks at it."""

TRIES, PAUSE_S = 20, 0.5


@dataclass(frozen=True, kw_only=True)
class Podman:
    """The podman of this machine.

    Attributes:
        executable: Name or path of the program.
        containers_conf: A project-local containers.conf for machines that need one (see machine.py).
    """

    executable: str = "podman"
    containers_conf: Path | None = None
    _versions: list[tuple[int, ...]] = field(default_factory=list, repr=False, compare=False)

    @property
    def env(self) -> dict[str, str]:
        """The environment in which podman is run."""
        env = {**os.environ, **self.conf_variables}
        if os.getuid() and self.version < CACHE_PER_USER_VERSION:
            env.setdefault("TMPDIR", str(_own_temporary_folder()))
        return env

    @property
    def conf_variables(self) -> dict[str, str]:
        """What of it tells podman to use the project-local containers.conf."""
        if not self.containers_conf:
            return {}
        override = self.version >= CONF_OVERRIDE_VERSION
        return {"CONTAINERS_CONF_OVERRIDE" if override else "CONTAINERS_CONF": str(self.containers_conf)}

    @property
    def version(self) -> tuple[int, ...]:
        """The version, e.g. ``(4, 3, 1)``.

        Raises:
            MachineError: podman is missing or does not tell its version.
        """
        if not self._versions:
            result = process.run([self.executable, "--version"], check=False)
            found = re.search(r"(\d+)\.(\d+)\.(\d+)", result.stdout)
            if not result.ok or not found:
                raise MachineError(
                    "`podman --version` does not answer", detail=result.last_lines, remedy="install podman again"
                )
            self._versions.append(tuple(int(part) for part in found.groups()))
        return self._versions[0]

    def command(self, *args: str) -> list[str]:
        """The argument list for a podman command."""
        return [self.executable, *args]

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, timeout_s: float | None = None) -> Result:
        """Run a podman command to its end.

        Raises:
            CommandError: It failed, and check is true.
        """
        return process.run(self.command(*args), stdin=stdin, env=self.env, check=check, timeout_s=timeout_s)

    def run_with_retries(self, *args: str, transient: Sequence[str]) -> Result:
        """Run a podman command again for as long as it fails in one of these ways, which pass.

        Raises:
            CommandError: It failed otherwise, or for the last time.
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
        """The words that a listing writes, such as names."""
        return self.run_with_retries(*args, transient=GONE).stdout.split()

    def rows(self, *args: str) -> list[dict[str, Any]]:
        """What a listing tells of each thing, in podman's own terms."""
        return list(json.loads(self.run_with_retries(*args, "--format=json", transient=GONE).stdout or "[]"))

    def stream(self, *args: str, on_line: Callable[[str], None]) -> Result:
        """Run a podman command and hand on its lines as they come; the result is not checked."""
        return process.stream(self.command(*args), on_line=on_line, env=self.env)

    def attach(self, *args: str) -> int:
        """Run a podman command on this terminal and return its status."""
        return process.attach(self.command(*args), env=self.env)

    # -- the machine ------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """What ``podman info`` tells of host and storage."""
        answer: dict[str, Any] = json.loads(self.run("info", "--format", "json").stdout)
        return answer

    def smoke_test(self) -> Result:
        """Start and remove an empty pod, which exercises runtime, cgroups, limits and network but needs no image."""
        name = f"hubpod-smoke-{secrets.token_hex(4)}"
        try:
            created = self.run("pod", "create", "--name", name, f"--label={MANAGED_BY}=hubpod", check=False)
            return self.run("pod", "start", name, check=False) if created.ok else created
        finally:
            self.run("pod", "rm", "--force", "--ignore", name, check=False)

    # -- images -----------------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """The image's id, or None when it is not there."""
        result = self.run("image", "inspect", "--format", "{{.Id}}", reference, check=False)
        return result.stdout.strip() if result.ok else None

    def image_ids(self, references: Sequence[str]) -> dict[str, str]:
        """The ids of those images that are there, by reference: registry, name and tag."""
        # podman tells of those that are there also when it ends with an error because others are not.
        told = "{{.Id}} {{range .RepoTags}}{{.}} {{end}}"
        rows = self.run("image", "inspect", "--format", told, *references, check=False).stdout.splitlines()
        found = {tag: words[0] for words in map(str.split, rows) for tag in words[1:]}
        return {reference: found[reference] for reference in references if reference in found}

    # -- volumes ----------------------------------------------------------------------------------------------------

    def volumes(self, labels: Mapping[str, str]) -> dict[str, Volume]:
        """The volumes that carry all these labels, by name."""
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        rows = self.rows("volume", "ls", *filters)
        # Several label filters are alternatives to podman, so the answer is checked once more.
        return {
            row["Name"]: Volume(name=row["Name"], labels=row.get("Labels") or {})
            for row in rows
            if labels.items() <= (row.get("Labels") or {}).items()
        }

    def remove_volumes(self, names: Sequence[str]) -> None:
        """Remove volumes; those that are not there are no error."""
        if names:
            self.run("volume", "rm", "--force", *names)

    # -- pods -------------------------------------------------------------------------------------------------------

    def play(self, manifest: str) -> None:
        """Create and start what a manifest describes.

        Raises:
            CommandError: podman refused it, or a container did not start.
        """
        result = self.run("kube", "play", "-", stdin=manifest.encode(), check=False)
        # podman 4.3 ends with 0 even when a container could not be started; the errors are on standard error.
        if not result.ok or "failed to start" in result.stderr:
            raise CommandError(result)

    def remove_pod(self, name: str) -> None:
        """Stop and remove a pod with its containers; one that is not there is no error."""
        # Stopped first, because `pod rm --force` of a running pod takes four seconds longer, container by container.
        self.run("pod", "stop", "--ignore", f"--time={STOP_GRACE_S}", name, check=False)
        # What a start that was killed has left behind may just be mounting a container's folders.
        self.run_with_retries("pod", "rm", "--force", "--ignore", name, transient=BUSY)

    def pod_exists(self, name: str) -> bool:
        """Whether there is a pod of that name, in whatever state."""
        result = self.run("pod", "exists", name, check=False)
        if result.returncode not in {0, 1}:  # podman-pod-exists(1): 1 is the one that means no
            raise CommandError(result)
        return result.ok

    def containers(self, labels: Mapping[str, str]) -> dict[str, ContainerState]:
        """The containers that carry these labels, infrastructure excluded, by podman's name."""
        filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
        rows = self.rows("ps", "--all", *filters)
        states = (container_state(row) for row in rows if not row.get("IsInfra"))
        return {state.name: state for state in states if labels.items() <= state.labels.items()}

    def restart(self, container: str) -> None:
        """End a container in good order, and start it again; the others of its pod go on."""
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
        """Run a command inside a container, as one of its users if told; the result is not checked."""
        options = [*([f"--user={user}"] if user else []), *(["--interactive"] if stdin is not None else [])]
        return self.run("exec", *options, container, *argv, stdin=stdin, check=False, timeout_s=timeout_s)

    def log(self, container: str, *, since: float = 0, timestamps: bool = False) -> str:
        """What a container has written so far, or since a moment, in seconds since the epoch.

        With timestamps each line has in front when it was written, as ISO 8601; lines of standard error come last.
        """
        options = [f"--since={since:.0f}", *(["--timestamps"] if timestamps else [])]
        result = self.run("logs", *options, container, check=False)
        return result.stdout + result.stderr if result.ok else ""


def _own_temporary_folder() -> Path:
    """A temporary folder of this user alone; on the disk, because layers do not fit into memory."""
    folder = Path(f"/var/tmp/hubpod-{os.getuid()}")  # noqa: S108 - checked to be ours
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise MachineError(f"{folder} belongs to another user", remedy="set TMPDIR to a folder of your own")
    return folder
