"""Run benchmark cases in rounds that alternate between tools.

Other load on the machine then affects all tools alike.
"""

import json
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.case import Case, Tool, expand
from bench.results import Series
from hubpod.errors import HubpodError
from hubpod.system import process

CLICK = "submit"
"""The step of a probe that starts with the click on "Start"."""


class MeasurementError(HubpodError):
    """A command of a case failed, or its output has no metrics."""


class CaseRun:
    """One case of one tool while it is measured.

    Attributes:
        tool: Name of the tool.
        series: The values so far, by metric.
    """

    def __init__(self, tool: Tool, case: Case, directory: Path) -> None:
        self._case = case
        self._project = tool.project
        self.tool = tool.name
        self.series: dict[str, list[float]] = {}
        paths = {"python": sys.executable, "bench": tool.scripts, "project": tool.project, "folder": directory}
        self._words = {
            **tool.words,
            **{word: str(path) for word, path in paths.items()},
            "instance": f"bench-{secrets.token_hex(3)}",
            "round": "0",
        }

    def setup(self) -> None:
        """Run the commands that precede the first round."""
        self._run(self._case.setup)

    def teardown(self) -> None:
        """Clean up, ignoring failures: after a failed setup there may be nothing to remove."""
        for command in self._case.teardown:
            process.run(self._argv(command), cwd=self._project, check=False)

    def run_round(self, number: int) -> None:
        """Measure one round, and reset."""
        self._words["round"] = str(number)
        start = time.monotonic()
        output = self._run(self._case.command)
        duration_s = time.monotonic() - start
        for name, value in read_metrics(self._case.reads, duration_s, output).items():
            self.series.setdefault(name, []).append(value)
        self._run(self._case.reset)

    def _run(self, commands: Sequence[str]) -> str:
        """Run commands in sequence, and return the standard output of the last."""
        output = ""
        for command in commands:
            result = process.run(self._argv(command), cwd=self._project, check=False)
            if not result.ok:
                last = (result.stdout + result.stderr).strip().splitlines()[-process.LAST_LINES :]
                message = f"{shlex.join(result.argv)} exited with status {result.returncode}"
                raise MeasurementError(message, detail=tuple(last))
            output = result.stdout
        return output

    def _argv(self, command: str) -> list[str]:
        return shlex.split(expand(command, self._words))


def read_metrics(reads: str, duration_s: float, output: str) -> Mapping[str, float]:
    """Return the metrics of a round by name. The duration of the commands has the empty name.

    Raises:
        MeasurementError: The output does not contain the expected metrics.
    """
    try:
        match reads:
            case "probe":
                return _probe_metrics(json.loads(output))
            case "metrics":
                last = output.strip().splitlines()[-1]
                return {str(name): float(value) for name, value in json.loads(last).items()}
            case _:
                return {"": duration_s}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise MeasurementError(f"the output has no metrics: {type(error).__name__}: {error}") from None


def _probe_metrics(report: Mapping[str, list[dict[str, float]]]) -> Mapping[str, float]:
    """Return the seconds from the click until the server is ready and the kernel answers."""
    steps = {str(step["name"]): step for step in report["timeline"]}
    click = steps[CLICK]["at_s"] - steps[CLICK]["took_s"]
    return {f"click to {name}": steps[name]["at_s"] - click for name in ("ready", "kernel")}


def measure(tools: Sequence[Tool], name: str, rounds: int, report: Callable[[str], None]) -> Iterator[Series]:
    """Measure the case of this name for every tool that has it.

    Args:
        tools: Measured in turns.
        name: Name of the case.
        rounds: Number of rounds, unless a case sets a lower limit.
        report: Receives a line after each round.

    Raises:
        MeasurementError: A command fails or prints no metrics.
    """
    pairs = [(tool, case) for tool in tools for case in tool.cases if case.name == name]
    with ExitStack() as stack:
        runs = [stack.enter_context(_open_run(tool, case)) for tool, case in pairs]
        for number in range(1, min([rounds, *(case.rounds for _, case in pairs if case.rounds)]) + 1):
            for run in runs if number % 2 else reversed(runs):  # no tool always runs after the same other one
                run.run_round(number)
                latest = ", ".join(f"{metric} {values[-1]:.2f}".strip() for metric, values in run.series.items())
                report(f"  {name}, round {number}, {run.tool}: {latest}")
        title = next(case.title or name for _, case in pairs)
        for run in runs:
            for metric, values in run.series.items():
                yield Series(case=name, title=title, metric=metric, tool=run.tool, values=tuple(values))


@contextmanager
def _open_run(tool: Tool, case: Case) -> Iterator[CaseRun]:
    """Set up a case, and tear it down at the end of the block."""
    directory = Path(tempfile.mkdtemp(prefix="hubpod-bench-"))
    run = CaseRun(tool, case, directory)
    try:
        run.setup()
        yield run
    finally:
        run.teardown()
        shutil.rmtree(directory, ignore_errors=True)
