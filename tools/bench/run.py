"""Measure how long what people wait for takes: `./run nox -s bench`, or `invoke bench.run`.

python tools/bench/run.py [--case NAME] [--rounds N] [--against TOOL] [--json FILE] [--compare FILE] [--svg FILE]

Cases are data: tools/bench/cases.toml has hubpod's own. `--against` takes another tool's, or a folder with another
commit of this project, which are measured in turns with ours of the same names. Ends with 1 when a case could not be
measured; the others are measured all the same.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools")]

from bench import case, results  # noqa: E402 - found by the line above
from bench.case import Tool  # noqa: E402
from bench.measure import Failed, measured  # noqa: E402
from bench.picture import drawn  # noqa: E402
from bench.results import Results, Series  # noqa: E402
from hubpod.errors import HubpodError, UsageError  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

OWN = Path(__file__).parent / "cases.toml"
ROUNDS = 5


def main(words: Sequence[str]) -> int:
    """Measure, and show what came of it; 1 when a case failed."""
    asked = parsed(words)
    tools = [case.load(OWN, "hubpod"), *map(_other, asked.against)]
    if asked.list:
        for each in (each for tool in tools for each in tool.cases):
            _show(f"{each.name:28} {each.title}{', only when asked for' if each.opt_in else ''}")
        return 0
    if len({tool.name for tool in tools}) < len(tools):
        raise UsageError(
            "two of the tools have the same name",
            remedy="name the files of --against differently, or check out another commit",
        )
    names = case.chosen(tools, asked.case)
    before = results.load(asked.compare) if asked.compare else None
    where = results.machine(usable_podman(Workspace(project=PROJECT).state), PROJECT)
    series, failed = _all(tools, names, asked.rounds)
    found = Results(machine=where, series=tuple(series))
    for line in (*results.table(found), *results.between_tools(found)):
        _show(line)
    for line in results.comparison(found, before) if before else ():
        _show(line)
    _keep(found, asked)
    return 1 if failed else 0


def _other(path: Path) -> Tool:
    """Another tool's cases, or ours for another checkout of this project.

    Raises:
        UsageError: It is neither.
    """
    if not path.is_dir():
        return case.load(path)
    if not (path / "hubpod").is_dir():
        raise UsageError(f"--against {path}: is no checkout of this project", remedy="make one with `git worktree add`")
    return case.load(OWN, f"hubpod {results.commit(path)}", path.resolve())


def _all(tools: Sequence[Tool], names: Sequence[str], rounds: int) -> tuple[list[Series], bool]:
    """Measure each case; one that fails is told, and leaves no figures."""
    series: list[Series] = []
    failed = False
    for name in names:
        try:
            series += list(measured(tools, name, rounds, _say))
        except Failed as error:
            failed = True
            _say("\n  ".join((f"{name}: {error.message}", *error.detail)))
    return series, failed


def _keep(found: Results, asked: argparse.Namespace) -> None:
    if asked.json:
        found.save(asked.json)
    if asked.svg:
        machine = found.machine
        where = f"{machine['processors']} processors, podman {machine['podman']}, commit {machine['commit']}"
        title = "How long it takes: a dot for each round, the median marked and told"
        asked.svg.write_text(drawn(title, f"{where}, {machine['date'][:10]}", found.series))


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--case", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    add("--list", action="store_true", help="only tell which cases there are")
    add("--rounds", type=_positive, default=ROUNDS, help="how often each is measured [%(default)s]")
    add(
        "--against",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="another tool's cases, as TOML, or a folder with another commit of this project",
    )
    add("--json", type=_writable, metavar="FILE", help="keep the results and the machine's facts")
    add("--compare", type=Path, metavar="FILE", help="tell the ratios to results that were kept")
    add("--svg", type=_writable, metavar="FILE", help="draw the results")
    return parser.parse_args(words)


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of rounds")
    return int(text)


def _writable(text: str) -> Path:
    """A file that can be written, which is better known now than when everything has been measured."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was set up goes then, too
    try:
        sys.exit(main(sys.argv[1:]))
    except HubpodError as error:
        _say(f"{error.message}\n{error.remedy}")
        sys.exit(error.exit_code)
