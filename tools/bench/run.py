"""Run benchmarks of the commands and waits that users notice: `./run nox -s bench`.

python tools/bench/run.py [--case NAME] [--rounds N] [--against TOOL] [--json FILE] [--compare FILE] [--svg FILE]

Cases are data: tools/bench/cases.toml contains hubpod's own. `--against` adds the cases of another tool, or of another
commit of this project, which are measured in turns with ours of the same names. The exit code is 1 when a case failed;
the other cases are measured nevertheless.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools")]

from bench import case, report, results  # noqa: E402 - needs the path above
from bench.case import Tool  # noqa: E402
from bench.chart import render  # noqa: E402
from bench.measure import MeasurementError, measure  # noqa: E402
from bench.results import Results, Series  # noqa: E402
from hubpod.errors import HubpodError, UsageError  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

CASES = Path("tools/bench/cases.toml")
EARLIER_CASES = Path("tests/bench/cases.toml")
"""Where earlier commits have their cases."""

ROUNDS = 5


def main(words: Sequence[str]) -> int:
    """Measure and report, and return 1 when a case failed."""
    arguments = parse_arguments(words)
    tools = [case.load(PROJECT / CASES, "hubpod"), *map(load_other_tool, arguments.against)]
    if arguments.list:
        for each in (each for tool in tools for each in tool.cases):
            _print(f"{each.name:28} {each.title}{', opt-in' if each.opt_in else ''}")
        return 0
    if len({tool.name for tool in tools}) < len(tools):
        raise UsageError(
            "two of the tools have the same name",
            remedy="rename a file of --against, or check out another commit",
        )
    names = case.select(tools, arguments.case)
    before = results.load(arguments.compare) if arguments.compare else None
    machine = results.describe_machine(usable_podman(Workspace(project=PROJECT)), PROJECT)
    series, failed = _measure_all(tools, names, arguments.rounds)
    found = Results(machine=machine, series=tuple(series))
    for line in (*report.table(found), *report.compare_tools(found)):
        _print(line)
    for line in report.compare_runs(found, before) if before else ():
        _print(line)
    _save(found, arguments)
    return 1 if failed else 0


def load_other_tool(path: Path) -> Tool:
    """Load the cases of another tool, or of another checkout of this project.

    Raises:
        UsageError: The path is neither a case file nor a checkout.
    """
    if not path.is_dir():
        return case.load(path)
    for cases in (CASES, EARLIER_CASES):
        if (file := path.resolve() / cases).is_file():
            return case.load(file, f"hubpod {results.describe_commit(path)}", path.resolve(), file.parent)
    raise UsageError(
        f"--against {path}: not a checkout of this project, {CASES} is missing",
        remedy="create a checkout with `git worktree add`",
    )


def _measure_all(tools: Sequence[Tool], names: Sequence[str], rounds: int) -> tuple[list[Series], bool]:
    """Measure each case. A case that fails is reported and yields no series."""
    series: list[Series] = []
    failed = False
    for name in names:
        try:
            series += list(measure(tools, name, rounds, _log))
        except MeasurementError as error:
            failed = True
            _log("\n  ".join((f"{name}: {error.message}", *error.detail)))
    return series, failed


def _save(found: Results, arguments: argparse.Namespace) -> None:
    if arguments.json:
        found.save(arguments.json)
    if arguments.svg:
        arguments.svg.write_text(render_results(found))


def render_results(found: Results) -> str:
    """Draw the chart of a run, with the facts about its machine."""
    machine = found.machine
    facts = f"{machine['processors']} processors, podman {machine['podman']}, commit {machine['commit']}"
    title = "Duration of each round, with the median per case"
    return render(title, f"{facts}, {machine['date'][:10]}", found.series)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--case", action="append", default=[], metavar="NAME", help="run only this case; repeatable")
    add("--list", action="store_true", help="list the cases and exit")
    add("--rounds", type=_positive, default=ROUNDS, help="rounds per case [%(default)s]")
    add(
        "--against",
        action="append",
        type=Path,
        default=[],
        metavar="TOOL",
        help="case file of another tool, or directory with another commit of this project; repeatable",
    )
    add("--json", type=_writable, metavar="FILE", help="write results and machine facts to FILE")
    add("--compare", type=Path, metavar="FILE", help="print ratios to the results in FILE")
    add("--svg", type=_writable, metavar="FILE", help="write a chart of the results to FILE")
    return parser.parse_args(words)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return int(text)


def _writable(text: str) -> Path:
    """Check before the measurements, which may take an hour, that a file can be written."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} is not writable")
    return path


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # run the teardown of the current case
    try:
        sys.exit(main(sys.argv[1:]))
    except HubpodError as error:
        _log(f"{error.message}\n{error.remedy}")
        sys.exit(error.exit_code)
