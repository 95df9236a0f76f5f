"""How long the main job takes: `./run nox -s bench`. Prints minimum, median and maximum of each figure, in seconds.

Whole commands are timed as a person waits for them, with the interpreter's own start. Images are built before.
"""

import json
import platform
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[2]
RUNS = 5


def timed(*words: str) -> tuple[float, str]:
    """Run an invoke command; how long it took, and what it printed."""
    start = time.monotonic()
    argv = [sys.executable, "-m", "invoke", *words]
    result = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{result.stdout}{result.stderr}")
    return time.monotonic() - start, result.stdout


def steps(report: str) -> dict[str, float]:
    """When each step of a spawn was reached, in seconds after the click on "Start"."""
    timeline = {step["name"]: step["at_s"] for step in json.loads(report)["timeline"]}
    click = timeline["submit"] - next(s["took_s"] for s in json.loads(report)["timeline"] if s["name"] == "submit")
    return {name: at - click for name, at in timeline.items()}


def main() -> None:
    """Run every case and print the table."""
    instance = f"--instance=bench-{secrets.token_hex(3)}"
    figures: dict[str, list[float]] = {}
    timed("dev.build")
    try:
        for _ in range(RUNS):
            figures.setdefault("up, everything built", []).append(timed("dev.up", instance)[0])
            figures.setdefault("up, nothing changed", []).append(timed("dev.up", instance)[0])
            for name, at in steps(timed("dev.spawn", instance, "--json")[1]).items():
                if name in {"ready", "kernel"}:
                    figures.setdefault(f"spawn, click to {name}", []).append(at)
            figures.setdefault("down", []).append(timed("dev.down", instance)[0])
            timed("dev.down", instance, "--volumes")
    finally:
        timed("dev.down", instance, "--volumes")
    print(f"{platform.platform()}, {RUNS} runs")  # noqa: T201 - what it is for
    for name, values in figures.items():
        row = f"{min(values):7.2f} {statistics.median(values):7.2f} {max(values):7.2f}"
        print(f"{name:24}{row}")  # noqa: T201


if __name__ == "__main__":
    main()
