"""Text reports of results: distributions, and ratios between runs and between tools."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.results import Results

SAME_MACHINE = ("processors", "memory_mib", "kernel", "podman", "storage", "rootless")
"""Facts that must match for two runs to be comparable."""

WIDTH = 66


def quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile by nearest rank, which is a measured value, or NaN without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def table(results: Results) -> Iterator[str]:
    """Yield a run as lines: the machine, then minimum, median and maximum of each series."""
    yield ", ".join(f"{name} {value}" for name, value in results.machine.items())
    tools = {series.tool for series in results.series}
    yield f"{'seconds, unless noted otherwise':{WIDTH}} {'minimum':>9} {'median':>9} {'maximum':>9}  rounds"
    for series in results.series:
        label = f"{series.label} [{series.tool}]" if len(tools) > 1 else series.label
        low, high, median = min(series.values), max(series.values), statistics.median(series.values)
        yield f"{label:{WIDTH}} {low:9.2f} {median:9.2f} {high:9.2f} {len(series.values):7}"


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The distribution of first over second, over all pairs of their values.

    Attributes:
        low: 5 % quantile of the ratios.
        median: Median of the ratios.
        high: 95 % quantile of the ratios.
        greater: Share of the pairs in which the first value is greater.
    """

    low: float
    median: float
    high: float
    greater: float


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """Compare two series, unless one is empty or the second has a value that is not positive."""
    if not first or not second or min(second) <= 0:
        return None
    pairs = [one / other for one in first for other in second]
    greater = sum(pair > 1 for pair in pairs) / len(pairs)
    return Ratio(
        low=quantile(pairs, 0.05), median=statistics.median(pairs), high=quantile(pairs, 0.95), greater=greater
    )


def compare_runs(now: Results, before: Results) -> Iterator[str]:
    """Yield the ratios to an earlier run as lines, after warnings if the machines differ."""
    for name in SAME_MACHINE:
        if now.machine.get(name) != before.machine.get(name):
            yield f"different machine: {name} is {now.machine.get(name)}, was {before.machine.get(name)}"
    known = {series.key: series for series in before.series}
    pairs = [(series.label, series.values, known[series.key].values) for series in now.series if series.key in known]
    yield from _ratio_table(f"over the run of {before.machine.get('date')}", pairs)


def compare_tools(results: Results) -> Iterator[str]:
    """Yield the ratios of the first tool to each other tool as lines."""
    first = results.series[0].tool if results.series else ""
    own = {(series.case, series.metric): series.values for series in results.series if series.tool == first}
    for tool in dict.fromkeys(series.tool for series in results.series if series.tool != first):
        others = [each for each in results.series if each.tool == tool and (each.case, each.metric) in own]
        pairs = [(each.label, own[each.case, each.metric], each.values) for each in others]
        yield from _ratio_table(f"{first} over {tool}", pairs)


def _ratio_table(title: str, pairs: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> Iterator[str]:
    yield f"{title:{WIDTH}} {'5 %':>9} {'median':>9} {'95 %':>9}  greater"
    for label, first, second in pairs:
        if found := ratio(first, second):
            yield f"{label:{WIDTH}} {found.low:9.2f} {found.median:9.2f} {found.high:9.2f} {found.greater:8.0%}"
