"""Process that removes the resources of a test run, even when the run is killed.

    python -m hubpod_harness.reaper RECORD PARENT DIRECTORY PODMAN CONTAINERS_CONF

The reaper starts the podman service that creates the run's containers. Then it waits for the end of its standard input,
which closes when the test process ends, for whatever reason. It then kills the service and the run's processes, and
removes the run's directory and all containers, volumes and networks with the run's label. While it lives, the reaper
locks the run's record, so that a later run recognizes records without a reaper.
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from hubpod.labels import LABEL_RUN
from hubpod.podman.by_label import remove_by_label
from hubpod.podman.cli import Podman
from hubpod.system import process, stray_processes
from hubpod.system.private_files import read_record, write_private
from hubpod.system.process import Process

RUN_VARIABLE = "HUBPOD_RUN"
"""Environment variable of every process that a run starts. The reaper finds leftover processes by it."""

SERVICE_VARIABLE = "HUBPOD_SERVICE_OF"
"""Environment variable of the podman service, which must live until the reaper ends it."""

READY = "ready"
RECORDS = "harness"
"""Directory below .hubpod with a record of each active run."""

LOCK = "lock"
"""Lock file among the records, held while a record is written or checked."""

SERVICE_TIMEOUT_S = 20.0
PASSES = 5


def socket_path(directory: Path) -> Path:
    """Return the socket of the run's podman service."""
    return directory / "podman.sock"


def _podman(about: Mapping[str, object]) -> Podman:
    """Return the podman that creates the run's containers."""
    conf = str(about.get("containers_conf", ""))
    return Podman(executable=str(about.get("podman", "podman")), containers_conf=Path(conf) if conf else None)


def clean_up(record: Path, about: Mapping[str, object], *, parent: int = 0) -> None:
    """Remove all resources of a run, then its record. The test process keeps running.

    Args:
        record: Path of the run's record, which may be gone together with the checkout.
        about: The record's content: `folder`, `podman` and `containers_conf`.
        parent: Process id of the test process.
    """
    podman = _podman(about)
    stray_processes.kill_processes_with_variable(SERVICE_VARIABLE, record.stem)
    for _ in range(PASSES):
        # A killed process may have created a resource in its last moment.
        killed = stray_processes.kill_processes_with_variable(RUN_VARIABLE, record.stem, spare=parent)
        if not killed + remove_by_label(podman, f"{LABEL_RUN}={record.stem}", name_part=f"-{record.stem}-"):
            break
    if directory := str(about.get("folder", "")):
        shutil.rmtree(directory, ignore_errors=True)
    record.unlink(missing_ok=True)


def wait_for_all(state: Path) -> None:
    """Wait until all runs of a checkout are cleaned up."""
    records = state / RECORDS
    for path in (*records.glob(LOCK), *records.glob("*.json")):
        with suppress(FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # its reaper holds the lock until it is done


def _sweep(records: Path) -> None:
    """Clean up after runs whose reaper was killed."""
    for record in records.glob("*.json"):
        with record.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            clean_up(record, read_record(record))


def _serve(podman: Podman, directory: Path, run: str) -> Process:
    """Start the podman service, and wait until its socket exists."""
    socket = socket_path(directory)
    argv = podman.command("system", "service", "--time=0", f"unix://{socket}")
    service = process.start(argv, env={**podman.env, SERVICE_VARIABLE: run})
    deadline = time.monotonic() + SERVICE_TIMEOUT_S
    while not socket.exists() and service.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return service


def main(record: Path, parent: int, about: dict[str, str]) -> None:
    """Clean up old runs, serve until the tests end, and clean up this run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the reaper must outlive the tests, however they end
    with ExitStack() as stack:
        # The record must be locked before another process can find it.
        with (record.parent / LOCK).open("wb") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            _sweep(record.parent)
            write_private(record, json.dumps({**about, "parent": parent}).encode())
            fcntl.flock(stack.enter_context(record.open("rb")), fcntl.LOCK_EX)
        service = _serve(_podman(about), Path(about["folder"]), record.stem)
        with suppress(BrokenPipeError):  # the tests may have been killed already
            os.write(sys.stdout.fileno(), f"{READY if service.poll() is None else service.returncode}\n".encode())
        sys.stdin.buffer.read()
        service.terminate()
        service.wait()
        clean_up(record, about, parent=parent)


if __name__ == "__main__":
    # The tests' directory must stay removable.
    _, record_, parent_, directory_, podman_, conf_ = sys.argv
    os.chdir("/")
    main(Path(record_), int(parent_), {"folder": directory_, "podman": podman_, "containers_conf": conf_})
