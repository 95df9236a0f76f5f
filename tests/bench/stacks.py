"""How long a stack of the harness takes to be ready, by phases, and its memory: `./run nox -s bench`."""

import json
import statistics
import sys
from contextlib import suppress
from pathlib import Path

from harness.kit import Kit, open_kit
from harness.options import Options
from harness.preflight import prepare_machine
from harness.stack import Stack

RUNS = 5


def main(runs: int) -> None:
    """Start so many stacks, one after the other, and print the table."""
    options = Options()
    figures: dict[str, list[float]] = {}
    for _ in range(runs):
        with open_kit(options, lambda: prepare_machine(options)) as kit:
            _measure(kit, figures)
    print(f"{runs} stacks, one after the other; seconds and MiB: minimum, median, maximum")  # noqa: T201
    for name, values in figures.items():
        print(f"{name:28}{min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}")  # noqa: T201


def _measure(kit: Kit, figures: dict[str, list[float]]) -> None:
    stack = kit.stack()
    for phase, seconds in stack.timings.items():
        figures.setdefault(phase, []).append(seconds)
    figures.setdefault("stack, all phases", []).append(sum(stack.timings.values()))
    for container in stack.containers:
        figures.setdefault(f"memory of {container}", []).append(_memory(stack, container))
    figures.setdefault("memory, all containers", []).append(sum(_memory(stack, each) for each in stack.containers))


def _memory(stack: Stack, container: str) -> float:
    """The proportional set size of a container's processes, in MiB (proc_pid_smaps_rollup(5))."""
    first = json.loads(stack.inspect(container))[0]["State"]["Pid"]
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    waiting, total = [first], 0
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
