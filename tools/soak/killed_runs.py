"""Kill harness runs at random moments, and search for resources that they leave behind.

`./run nox -s kills`, or python tools/soak/killed_runs.py [RUNS [SEED]]. The exit code is 1 if anything is left.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools"), str(PROJECT / "tests")]

from hubpod.podman.by_label import find_by_label  # noqa: E402 - needs the path above
from hubpod.podman.cli import Podman  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.runs import pytest_argv  # noqa: E402

MAX_LIFETIME_S = 14.0
"""A run is killed after at most this time. A stack takes about seven seconds, a spawn about three."""

REAPER_TIMEOUT_S = 90.0
RECORD_TIMEOUT_S = 1.5
TEST = """
import time

def test_a_user_works(session, stack):
    server = session.spawn(project="project1")
    stack.link("ssh").delay(1)
    assert server.execute("5 * 4") == "20"
    time.sleep(600)
"""


def main(runs: int, seed: int) -> int:
    """Kill a number of runs, and return the number of resources left behind."""
    generator = random.Random(seed)  # noqa: S311 - no secrets
    workspace = Workspace(project=PROJECT)
    podman, records = usable_podman(workspace), workspace.state / "harness"
    names: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_user.py").write_text(TEST)
        for number in range(1, runs + 1):
            lifetime_s = generator.uniform(0, MAX_LIFETIME_S)
            names |= _kill_one(directory, records, lifetime_s)
            took_s = _wait_for_reaper(records, names)
            print(f"run {number:3} killed after {lifetime_s:5.1f} s, cleaned up {took_s:4.1f} s later", flush=True)  # noqa: T201
    left = [resource for name in sorted(names) for resource in _find_resources(podman, name)]
    summary = f"{runs} runs killed, seed {seed}, {len(names)} had a record; left behind: "
    print(summary + (", ".join(left) or "nothing"))  # noqa: T201 - standard output is the interface
    return len(left)


def _kill_one(directory: Path, records: Path, lifetime_s: float) -> set[str]:
    """Start a run, kill it, and return its name, if it had one by then."""
    before = set(records.glob("*.json"))
    seen: set[Path] = set()
    with subprocess.Popen(
        pytest_argv(str(directory)),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        end = time.monotonic() + lifetime_s
        while time.monotonic() < end:
            seen |= set(records.glob("*.json")) - before
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    # A reaper that was started just before the kill writes its record now.
    end = time.monotonic() + RECORD_TIMEOUT_S
    while not seen and time.monotonic() < end:
        seen |= set(records.glob("*.json")) - before
        time.sleep(0.01)
    return {path.stem for path in seen}


def _wait_for_reaper(records: Path, names: set[str]) -> float:
    """Wait until the reapers have removed their records, and return the seconds that it took."""
    start = time.monotonic()
    while any((records / f"{name}.json").exists() for name in names) and time.monotonic() - start < REAPER_TIMEOUT_S:
        time.sleep(0.05)
    return time.monotonic() - start


def _find_resources(podman: Podman, name: str) -> list[str]:
    """List everything that still exists of a run."""
    labelled = find_by_label(podman, f"hubpod.run={name}", name_part=f"-{name}-")
    markers = (f"HUBPOD_RUN={name}".encode(), f"HUBPOD_SERVICE_OF={name}".encode())
    processes = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/environ")
        if any(marker in _read(path) for marker in markers)
    ]
    directories = [path.name for path in Path(tempfile.gettempdir()).glob(f"hubpod-{name}-*")]
    found = {**labelled, "process": processes, "directory": directories}
    return [f"{kind} {each}" for kind, names in found.items() for each in names]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(1 if main(*(numbers + [50, 1][len(numbers) :])) else 0)
