"""What was measured, and where: kept as JSON, shown as a table, compared with what was measured before."""

import json
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.pace import quantile
from hubpod.errors import UsageError
from hubpod.podman.cli import Podman
from hubpod.podman.machine import version_text
from hubpod.system import process

MIB = 2**20
SAME_MACHINE = ("processors", "memory_mib", "kernel", "podman", "storage", "rootless")
"""What has to be the same for two runs to be of one machine; load, date and commit are not."""

WIDTH = 66


@dataclass(frozen=True, kw_only=True)
class Series:
    """One figure of one case, round by round.

    Attributes:
        case: The case's name.
        title: What it is, for a person.
        figure: Which of its figures; empty for the time of its command. Seconds, unless the name ends otherwise.
        tool: Whose case it is.
        values: One for each round, in their order.
    """

    case: str
    title: str
    figure: str
    tool: str
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """Case and figure, for a person."""
        return ", ".join(filter(None, (self.title, self.figure)))

    @property
    def in_seconds(self) -> bool:
        """Whether it is a time."""
        return not self.figure.endswith(("number", "MiB"))

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others of a run."""
        return self.case, self.figure, self.tool


@dataclass(frozen=True, kw_only=True)
class Results:
    """A run."""

    machine: Mapping[str, Any]
    series: tuple[Series, ...]

    def save(self, path: Path) -> None:
        """Keep it as a file."""
        path.write_text(json.dumps({"machine": dict(self.machine), "series": list(map(asdict, self.series))}, indent=1))


def load(path: Path) -> Results:
    """What was kept.

    Raises:
        UsageError: The file cannot be read, or holds something else.
    """
    try:
        document = json.loads(path.read_text())
        rows = ({**row, "values": tuple(map(float, row["values"]))} for row in document["series"])
        return Results(machine=dict(document["machine"]), series=tuple(Series(**row) for row in rows))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="give a file that --json has written") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: holds no results", remedy="give a file that --json has written") from None


def machine(podman: Podman, project: Path) -> dict[str, Any]:
    """Where and of what is measured."""
    info = podman.info()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "memory_mib": round(memory / MIB),
        "kernel": platform.release(),
        "podman": version_text(podman.version),
        "storage": info["store"]["graphDriverName"],
        "rootless": bool(info["host"]["security"]["rootless"]),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(project),
    }


def commit(project: Path) -> str:
    """Which one a checkout is at, and whether it was changed since."""
    words = ("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return process.run(["git", "-C", str(project), *words], check=False).stdout.strip() or "unknown"


def table(results: Results) -> Iterator[str]:
    """The run as lines for a person."""
    yield ", ".join(f"{name} {value}" for name, value in results.machine.items())
    tools = {series.tool for series in results.series}
    yield f"{'seconds, unless said otherwise':{WIDTH}} {'minimum':>9} {'median':>9} {'maximum':>9}  rounds"
    for series in results.series:
        label = f"{series.label} [{series.tool}]" if len(tools) > 1 else series.label
        low, high, middle = min(series.values), max(series.values), statistics.median(series.values)
        yield f"{label:{WIDTH}} {low:9.2f} {middle:9.2f} {high:9.2f} {len(series.values):7}"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One series over another, every value over every value: 2 is twice as much.

    Attributes:
        low: The ratio that 5 % of all pairs do not exceed.
        middle: The median of all pairs.
        high: The ratio that 95 % of all pairs do not exceed.
        more: Share of the pairs in which the first is more.
    """

    low: float
    middle: float
    high: float
    more: float


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """How the first compares to the second; None where one of them has nothing that a ratio could be of."""
    if not first or not second or min(second) <= 0:
        return None
    pairs = [one / other for one in first for other in second]
    more = sum(pair > 1 for pair in pairs) / len(pairs)
    return Ratio(low=quantile(pairs, 0.05), middle=statistics.median(pairs), high=quantile(pairs, 0.95), more=more)


def comparison(now: Results, before: Results) -> Iterator[str]:
    """Each figure over what it was, as lines for a person; machines that differ are told first."""
    differ = [name for name in SAME_MACHINE if now.machine.get(name) != before.machine.get(name)]
    for name in differ:
        yield f"another machine: {name} is {now.machine.get(name)}, was {before.machine.get(name)}"
    known = {series.key: series for series in before.series}
    pairs = [(series.label, series.values, known[series.key].values) for series in now.series if series.key in known]
    yield from ratios(f"over the run of {before.machine.get('date')}", pairs)


def between_tools(results: Results) -> Iterator[str]:
    """Each figure of the first tool over the same of the others, as lines for a person."""
    first = results.series[0].tool if results.series else ""
    own = {(series.case, series.figure): series for series in results.series if series.tool == first}
    for tool in dict.fromkeys(series.tool for series in results.series if series.tool != first):
        of = [series for series in results.series if series.tool == tool and (series.case, series.figure) in own]
        yield from ratios(
            f"{first} over {tool}", [(each.label, own[each.case, each.figure].values, each.values) for each in of]
        )


def ratios(title: str, pairs: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> Iterator[str]:
    """A table of ratios, as lines for a person."""
    yield f"{title:{WIDTH}} {'5 %':>9} {'median':>9} {'95 %':>9}  more in"
    for label, first, second in pairs:
        if found := ratio(first, second):
            yield f"{label:{WIDTH}} {found.low:9.2f} {found.middle:9.2f} {found.high:9.2f} {found.more:8.0%}"
