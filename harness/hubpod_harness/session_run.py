"""One run of tests: its name, its private folder, its podman service, and the promise that nothing of it remains."""

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
from hubpod.workspace import Workspace
from hubpod_harness import reaper
from hubpod_harness.containers import use_socket


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process that runs tests, which is one of several with pytest-xdist.

    Attributes:
        name: Eight hexadecimal digits; part of the name of all that it makes.
        folder: Its private folder, gone when it ends.
        podman: The podman of this machine.
        client: What testcontainers is given to find the podman service.
    """

    name: str
    folder: Path
    podman: Podman
    client: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """The labels by which the reaper finds what the run has made."""
        return {LABEL_RUN: self.name}


@contextmanager
def open_run(workspace: Workspace, podman: Podman) -> Iterator[Run]:
    """A run, watched by its reaper until this process ends.

    Raises:
        MachineError: The podman service does not start.
    """
    name = secrets.token_hex(4)
    records = private_directory(workspace.state / reaper.RECORDS)
    # Not below the project: the path of a socket has at most 107 bytes (unix(7)).
    folder = Path(tempfile.mkdtemp(prefix=f"hubpod-{name}-"))
    words = (records / f"{name}.json", os.getpid(), folder, podman.executable, podman.containers_conf or "")
    environment = {key: value for key, value in os.environ.items() if key != reaper.RUN_VARIABLE}
    python_path = os.pathsep.join(map(str, (workspace.project, workspace.project / "harness")))
    watch = process.start(
        [sys.executable, "-P", "-m", "hubpod_harness.reaper", *map(str, words)],
        env={**environment, "PYTHONPATH": python_path},
    )
    assert watch.stdin is not None  # noqa: S101 - told to the type checker: pipes were asked for
    assert watch.stdout is not None  # noqa: S101
    os.environ[reaper.RUN_VARIABLE] = name
    try:
        answer = watch.stdout.readline().decode().strip()
        if answer != reaper.READY:
            raise MachineError(
                f"`podman system service` does not start ({answer or 'no answer'})",
                remedy="see what `podman system service --time=5` says, and `invoke dev.doctor`",
            )
        client = use_socket(f"unix://{reaper.socket_of(folder)}")
        yield Run(name=name, folder=folder, podman=podman, client=client)
    finally:
        os.environ.pop(reaper.RUN_VARIABLE, None)
        watch.stdin.close()
        watch.wait()
        watch.stdout.close()
