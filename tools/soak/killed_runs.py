"""Kill runs of the harness at random moments, and look for anything that they leave: `./run nox -s kills`.

python tools/soak/killed_runs.py [RUNS [SEED]]
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

from hubpod.podman.by_label import find_by_label  # noqa: E402
from hubpod.podman.cli import Podman  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.runs import pytest_argv  # noqa: E402 - found by the line above

LONGEST_S = 14.0
"""A run is killed between its first moment and this: a stack takes about seven seconds, a spawn about three."""

REAPED_S = 90.0
LATE_RECORD_S = 1.5
TEST = """
import time

def test_somebody_works(session, stack):
    server = session.spawn(project="project1")
    stack.link("ssh").delay(1)
    assert server.execute("5 * 4") == "20"
    time.sleep(600)
"""


def main(runs: int, seed: int) -> int:
    """Kill so many runs; return how many things they have left."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    state = Workspace(project=PROJECT).state
    podman = usable_podman(state)
    names: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_somebody.py").write_text(TEST)
        for number in range(1, runs + 1):
            moment = chance.uniform(0, LONGEST_S)
            names |= _kill_one(folder, state / "harness", moment)
            took = _until_reaped(state / "harness", names)
            print(f"run {number:3} killed after {moment:5.1f} s, cleaned up {took:4.1f} s later", flush=True)  # noqa: T201
    left = [thing for name in sorted(names) for thing in _left(podman, name)]
    print(f"{runs} runs killed, seed {seed}, {len(names)} of them had begun; left: {', '.join(left) or 'nothing'}")  # noqa: T201
    return len(left)


def _kill_one(folder: Path, records: Path, moment: float) -> set[str]:
    """Start a run and kill it at that moment, in seconds; return its name, if it had one by then."""
    before = set(records.glob("*.json"))
    seen: set[Path] = set()
    with subprocess.Popen(
        pytest_argv(str(folder)),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        end = time.monotonic() + moment
        while time.monotonic() < end:
            seen |= set(records.glob("*.json")) - before
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    # A reaper that has just been started writes its record now.
    end = time.monotonic() + LATE_RECORD_S
    while not seen and time.monotonic() < end:
        seen |= set(records.glob("*.json")) - before
        time.sleep(0.01)
    return {path.stem for path in seen}


def _until_reaped(records: Path, names: set[str]) -> float:
    """Wait for the reaper's end; seconds that it took."""
    begun = time.monotonic()
    while any((records / f"{name}.json").exists() for name in names) and time.monotonic() - begun < REAPED_S:
        time.sleep(0.05)
    return time.monotonic() - begun


def _left(podman: Podman, name: str) -> list[str]:
    """Everything of a run that is still there."""
    things = find_by_label(podman, f"hubpod.run={name}", name_part=f"-{name}-")
    marks = (f"HUBPOD_RUN={name}".encode(), f"HUBPOD_SERVICE_OF={name}".encode())
    processes = [
        path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if any(mark in _read(path) for mark in marks)
    ]
    folders = [path.name for path in Path(tempfile.gettempdir()).glob(f"hubpod-{name}-*")]
    found = {**things, "process": processes, "folder": folders}
    return [f"{kind} {each}" for kind, names in found.items() for each in names]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(1 if main(*(numbers + [50, 1][len(numbers) :])) else 0)
