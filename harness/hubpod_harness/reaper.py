"""What a test run leaves when it is killed, is removed by a process of its own, which needs no image.

    python -m harness.reaper RECORD PARENT FOLDER PODMAN CONTAINERS_CONF

It runs the podman service through which the run's containers are made, and waits for the end of its standard input,
which comes when the process of the tests ends, in whatever way. Then it ends the processes that the run has started and
the service, and removes all containers, volumes and networks with the run's label, and the run's folder. While it lives
it holds a lock on the run's record, so that a later run can tell which records nobody watches any more.
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
"""Every process that a run starts has this in its environment, which is how the reaper finds those that remain."""

SERVICE_VARIABLE = "HUBPOD_SERVICE_OF"
"""The same for the podman service, which the tests' own end must not kill before the reaper does."""

READY = "ready"
RECORDS = "harness"
"""Folder below .hubpod with a record of each run that is under way."""

LOCK = "lock"
"""File among the records; who writes one, or looks whether it is watched, has the lock on it."""

SERVICE_TIMEOUT_S = 20.0
PASSES = 5


def socket_of(folder: Path) -> Path:
    """Where the run's podman service listens."""
    return folder / "podman.sock"


def _podman(about: Mapping[str, object]) -> Podman:
    """The podman that a run's containers are made by."""
    conf = str(about.get("containers_conf", ""))
    return Podman(executable=str(about.get("podman", "podman")), containers_conf=Path(conf) if conf else None)


def clean_up(record: Path, about: Mapping[str, object], *, parent: int = 0) -> None:
    """Remove all that a run has left, its record last; the process of its tests, if it lives, is not touched.

    Args:
        record: Where the run's record is, or was: somebody may have removed the checkout meanwhile.
        about: What it says: `folder`, `podman` and `containers_conf`.
        parent: The process of the tests.
    """
    podman = _podman(about)
    stray_processes.kill_processes_with_variable(SERVICE_VARIABLE, record.stem)
    for _ in range(PASSES):
        # A process that ended meanwhile may have made something in its last moment.
        killed = stray_processes.kill_processes_with_variable(RUN_VARIABLE, record.stem, spare=parent)
        if not killed + remove_by_label(podman, f"{LABEL_RUN}={record.stem}", name_part=f"-{record.stem}-"):
            break
    if folder := str(about.get("folder", "")):
        shutil.rmtree(folder, ignore_errors=True)
    record.unlink(missing_ok=True)


def wait_for_all(state: Path) -> None:
    """Wait until nothing is left to clean up after the runs of the checkout whose .hubpod this is."""
    records = state / RECORDS
    for path in (*records.glob(LOCK), *records.glob("*.json")):
        with suppress(FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # its reaper's until it has done its work


def _sweep(records: Path) -> None:
    """Clean up after runs whose reaper was killed, too."""
    for record in records.glob("*.json"):
        with record.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            clean_up(record, read_record(record))


def _serve(podman: Podman, folder: Path, run: str) -> Process:
    """Start the service and wait until it listens."""
    socket = socket_of(folder)
    argv = podman.command("system", "service", "--time=0", f"unix://{socket}")
    service = process.start(argv, env={**podman.env, SERVICE_VARIABLE: run})
    deadline = time.monotonic() + SERVICE_TIMEOUT_S
    while not socket.exists() and service.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return service


def main(record: Path, parent: int, about: dict[str, str]) -> None:
    """Sweep, serve, wait for the end of the tests, clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whatever ends the tests, this comes after them
    with ExitStack() as stack:
        # Nobody may find the record before it is locked.
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
    # Not in the folder of the tests, which somebody may want to remove.
    _, record_, parent_, folder_, podman_, conf_ = sys.argv
    os.chdir("/")
    main(Path(record_), int(parent_), {"folder": folder_, "podman": podman_, "containers_conf": conf_})
