"""Logs that outlive their containers."""

import stat
from io import StringIO
from pathlib import Path
from typing import cast

from rich.console import Console

from hubpod.context import Context
from hubpod.deployment.kept_logs import MAX_BYTES, MAX_LINES, keep_logs
from hubpod.instances import find_instance
from hubpod.podman.cli import Podman
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace

INSTANCE = find_instance("dev_dummyauth", "default")


class Logs:
    """A podman with logs."""

    def __init__(self, **logs: str) -> None:
        self.logs = {f"{INSTANCE.resource}-{name}": text for name, text in logs.items()}

    def log(self, container: str, *, tail: int) -> str:
        """Return the end of a container's log."""
        return "".join(self.logs[container].splitlines(keepends=True)[-tail:])


def keep(directory: Path, podman: Logs) -> Path | None:
    """Keep the logs of all containers."""
    reporter = ConsoleReporter(console=Console(file=StringIO()))
    context = Context(workspace=Workspace(project=directory), podman=cast("Podman", podman), reporter=reporter)
    return keep_logs(context, INSTANCE, podman.logs)


def test_the_ends_of_logs_are_kept_privately(tmp_path: Path) -> None:
    """Each container has a file that only the user can read, without the logs of an earlier run."""
    keep(tmp_path, Logs(slurm="earlier\n"))

    directory = keep(tmp_path, Logs(jupyterhub="x\n" * (MAX_LINES + 1), proxy="y" * (MAX_BYTES + 1) + "é\udc80"))

    assert directory == tmp_path / ".hubpod" / "dev_dummyauth" / "default" / "logs"
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    assert sizes == {"jupyterhub.log": 2 * MAX_LINES, "proxy.log": MAX_BYTES}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert (stat.S_IMODE(directory.stat().st_mode), modes) == (0o700, {0o600})


def test_without_containers_the_logs_of_the_last_run_stay(tmp_path: Path) -> None:
    """A second `down` keeps what the first one has saved."""
    directory = keep(tmp_path, Logs(proxy="of the last run\n"))

    assert keep(tmp_path, Logs()) is None
    assert directory is not None
    assert (directory / "proxy.log").read_text() == "of the last run\n"
