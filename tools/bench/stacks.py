"""How long a stack of the harness takes to be ready, by phases, and its memory: one start, as figures in JSON."""

import json
from contextlib import suppress
from pathlib import Path

from hubpod_harness.options import Options
from hubpod_harness.preflight import prepare_machine
from hubpod_harness.stack import Stack
from hubpod_harness.stacks import open_stacks


def main() -> None:
    """Start one, and print the figures."""
    options = Options()
    with open_stacks(options, lambda: prepare_machine(options)) as kit:
        stack = kit.stack()
        memory = sum(_memory(stack, container) for container in stack.containers)
        figures = {**stack.timings, "all phases": sum(stack.timings.values()), "memory, MiB": memory}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))  # noqa: T201 - what it is for


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
    main()
