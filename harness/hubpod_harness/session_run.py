"""One test run: its name, private directory, podman service and reaper.

The reaper is a process that cleans up after the run.
"""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubpod.errors import MachineError
from hubpod.labels import LABEL_RUN
from hubpod.podman.cli import Podman
from hubpod.system import process
from hubpod.system.private_files import private_directory
from hubpod.system.started_as import command_line
from hubpod.workspace import Workspace
from hubpod_harness import reaper
from hubpod_harness.containers import use_socket


@dataclass(frozen=True, kw_only=True)
class Run:
    """One test process. With pytest-xdist, a session has several.

    Attributes:
        name: Eight hexadecimal digits, which are part of the name of each of its resources.
        directory: Its private directory, removed at the end.
        podman: The podman of this machine.
        client: Arguments with which testcontainers connects to the podman service.
    """

    name: str
    directory: Path
    podman: Podman
    client: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels by which the reaper finds the run's resources."""
        return {LABEL_RUN: self.name}


@contextmanager
def open_run(workspace: Workspace, podman: Podman) -> Iterator[Run]:
    """Open a run, and start the reaper that watches this process.

    Raises:
        MachineError: The podman service does not start.
    """
    name = secrets.token_hex(4)
    records = private_directory(workspace.state / reaper.RECORDS)
    # Not below the project, because the path of a socket has at most 107 bytes (unix(7)).
    directory = Path(tempfile.mkdtemp(prefix=f"hubpod-{name}-"))
    words = (records / f"{name}.json", os.getpid(), directory, podman.executable, podman.containers_conf or "")
    environment = {key: value for key, value in os.environ.items() if key != reaper.RUN_VARIABLE}
    python_path = os.pathsep.join(map(str, (workspace.project, workspace.project / "harness")))
    watch = process.start(
        [sys.executable, "-P", "-m", "hubpod_harness.reaper", *map(str, words)],
        env={**environment, "PYTHONPATH": python_path},
    )
    assert watch.stdin is not None  # noqa: S101 - for the type checker; process.start makes pipes
    assert watch.stdout is not None  # noqa: S101
    os.environ[reaper.RUN_VARIABLE] = name
    try:
        answer = watch.stdout.readline().decode().strip()
        if answer != reaper.READY:
            raise MachineError(
                f"`podman system service` does not start ({answer or 'no answer'})",
                remedy=f"run `podman system service --time=5` and `{command_line('dev.doctor')}` to see the cause",
            )
        client = use_socket(f"unix://{reaper.socket_path(directory)}")
        yield Run(name=name, directory=directory, podman=podman, client=client)
    finally:
        os.environ.pop(reaper.RUN_VARIABLE, None)
        watch.stdin.close()
        watch.wait()
        watch.stdout.close()
