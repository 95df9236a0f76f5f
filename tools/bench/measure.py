"""Running cases: rounds of one case, tool by tool in turns, so that what else the machine does disturbs all alike."""

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

from bench.case import Case, Tool, expanded
from bench.results import Series
from hubpod.errors import HubpodError
from hubpod.system import process

BENCH = Path(__file__).parent
CLICK = "submit"
"""The step of a probe that begins with the click on "Start"."""


class Failed(HubpodError):  # noqa: N818 - a measurement that failed is told, and the others go on
    """A command that should have been measured did not do its work."""


class Measured:
    """One case of one tool, set up."""

    def __init__(self, tool: Tool, case: Case, folder: Path) -> None:
        self._case = case
        self._project = tool.project
        self.tool = tool.name
        self.series: dict[str, list[float]] = {}
        places = {"python": sys.executable, "bench": str(BENCH), "project": str(tool.project), "folder": str(folder)}
        self._words = {**tool.words, **places, "instance": f"bench-{secrets.token_hex(3)}", "round": "0"}

    def setup(self) -> None:
        """Have what the rounds need."""
        self._run(self._case.setup)

    def teardown(self) -> None:
        """Leave nothing; what cannot be removed was perhaps never there."""
        for command in self._case.teardown:
            process.run(self._argv(command), cwd=self._project, check=False)

    def round(self, number: int) -> None:
        """Measure once."""
        self._words["round"] = str(number)
        begun = time.monotonic()
        output = self._run(self._case.command)
        took_s = time.monotonic() - begun
        for name, value in figures(self._case.reads, took_s, output).items():
            self.series.setdefault(name, []).append(value)
        self._run(self._case.reset)

    def _run(self, commands: Sequence[str]) -> str:
        """Run commands one after the other; what the last one has printed."""
        output = ""
        for command in commands:
            result = process.run(self._argv(command), cwd=self._project, check=False)
            if not result.ok:
                said = (result.stdout + result.stderr).strip().splitlines()[-process.LAST_LINES :]
                raise Failed(f"{shlex.join(result.argv)} ended with {result.returncode}", detail=tuple(said))
            output = result.stdout
        return output

    def _argv(self, command: str) -> list[str]:
        return shlex.split(expanded(command, self._words))


def figures(reads: str, took_s: float, output: str) -> Mapping[str, float]:
    """What a round has shown, by name; the time of the command itself has none.

    Raises:
        Failed: The output is not what was to be read.
    """
    try:
        match reads:
            case "probe":
                return _of_probe(json.loads(output))
            case "figures":
                last = output.strip().splitlines()[-1]
                return {str(name): float(value) for name, value in json.loads(last).items()}
            case _:
                return {"": took_s}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Failed(f"its output has no figures: {type(error).__name__}: {error}") from None


def _of_probe(report: Mapping[str, list[dict[str, float]]]) -> Mapping[str, float]:
    """When the server was ready and the kernel answered, in seconds after the click on "Start"."""
    steps = {str(step["name"]): step for step in report["timeline"]}
    click = steps[CLICK]["at_s"] - steps[CLICK]["took_s"]
    return {f"click to {name}": steps[name]["at_s"] - click for name in ("ready", "kernel")}


def measured(tools: Sequence[Tool], name: str, rounds: int, say: Callable[[str], None]) -> Iterator[Series]:
    """Measure the case of that name of each tool that has it.

    Raises:
        Failed: One of its commands fails.
    """
    with ExitStack() as closing:
        limits = [case.rounds for _, case in _of(tools, name) if case.rounds]
        ready = [closing.enter_context(_ready(tool, case)) for tool, case in _of(tools, name)]
        for number in range(1, min([rounds, *limits]) + 1):
            for each in ready if number % 2 else reversed(ready):  # so that none always comes after another
                each.round(number)
                last = {figure: values[-1] for figure, values in each.series.items()}
                say(f"  {name}, round {number}, {each.tool}: " + ", ".join(map(_told, last, last.values())))
        title = next(case.title or name for _, case in _of(tools, name))
        for each in ready:
            for figure, values in each.series.items():
                yield Series(case=name, title=title, figure=figure, tool=each.tool, values=tuple(values))


def _of(tools: Sequence[Tool], name: str) -> list[tuple[Tool, Case]]:
    return [(tool, case) for tool in tools for case in tool.cases if case.name == name]


def _told(figure: str, value: float) -> str:
    return f"{figure} {value:.2f}".strip()


@contextmanager
def _ready(tool: Tool, case: Case) -> Iterator[Measured]:
    """A case that is set up, and gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="hubpod-bench-"))
    each = Measured(tool, case, folder)
    try:
        each.setup()
        yield each
    finally:
        each.teardown()
        shutil.rmtree(folder, ignore_errors=True)
