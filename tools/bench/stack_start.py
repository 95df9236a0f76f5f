"""Measure one start of a harness stack: seconds per phase, and memory when ready.

The result is one JSON object.
"""

import json
from contextlib import suppress
from pathlib import Path

from hubpod_harness.options import Options
from hubpod_harness.preflight import prepare_machine
from hubpod_harness.stack import Stack
from hubpod_harness.stacks import open_stacks


def main() -> None:
    """Start a stack and print its metrics."""
    options = Options()
    with open_stacks(options, lambda: prepare_machine(options)) as stacks:
        stack = stacks.stack()
        memory = sum(_memory_mib(stack, container) for container in stack.containers)
        metrics = {**stack.timings, "all phases": sum(stack.timings.values()), "memory, MiB": memory}
    print(json.dumps({name: round(value, 3) for name, value in metrics.items()}))  # noqa: T201 - the script's result


def _memory_mib(stack: Stack, container: str) -> float:
    """Sum the proportional set size of a container's processes (proc_pid_smaps_rollup(5))."""
    first = json.loads(stack.inspect(container))[0]["State"]["Pid"]
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has exited
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    pending, total_kib = [first], 0
    while pending:
        pid = pending.pop()
        pending += children.get(pid, [])
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total_kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kib / 1024


if __name__ == "__main__":
    main()
