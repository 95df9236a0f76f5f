"""What was measured as a drawing: a row for each figure, a dot for each round, a line at the median. Pure."""

import math
import statistics
import textwrap
from collections.abc import Iterator, Sequence

from bench.results import Series, ratio
from hubpod.probe.svg import LETTER, WIDTH, Drawing

TOP, ROW, LEFT, RIGHT = 100, 30, 380, 150
LABEL_CHARACTERS = 52
DOT, MEDIAN, GAP = 4.0, 10.0, 4.0


def drawn(title: str, subtitle: str, series: Sequence[Series]) -> str:
    """The times among the series as SVG, over a logarithmic axis of seconds, those that are compared side by side."""
    known = [each for each in series if each.in_seconds and min(each.values, default=0) > 0]
    times = [each for group in _compared(known).values() for each in group]
    values = [value for each in times for value in each.values] or [1.0]
    axis = Axis(min(values), max(values))
    bottom = TOP + ROW * len(times)
    drawing = Drawing(title, subtitle, height=bottom + 44)
    tools = list(dict.fromkeys(each.tool for each in known))
    if len(tools) > 1:
        drawing.legend({tool: f"c{number % 4}" for number, tool in enumerate(tools)})
    drawing.bands(TOP, ROW, len(times))
    for x, label in _labelled(axis):
        drawing.tick(x, label, top=TOP, bottom=bottom)
    for number, each in enumerate(times):
        y, first = TOP + ROW * (number + 0.5), _compared(known)[each.case, each.figure][0]
        drawing.text(24, y + 5, _label(each))
        _dots(drawing, each, axis, y, f"c{tools.index(each.tool) % 4}")
        drawing.text(round(axis.place(max(each.values)) + 12, 1), y + 5, _told(each, first), "quiet beside")
    return drawing.xml()


def _compared(series: Sequence[Series]) -> dict[tuple[str, str], list[Series]]:
    """The series of each figure of each case: one for each tool."""
    groups: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        groups.setdefault((each.case, each.figure), []).append(each)
    return groups


def _label(series: Series) -> str:
    """What a row is of; the title gives way to the figure, which is what tells it from the next row."""
    figure = f", {series.figure}" if series.figure else ""
    title = series.title.replace("`", "")
    return textwrap.shorten(title, LABEL_CHARACTERS - len(figure), placeholder=" …") + figure


def _told(series: Series, first: Series) -> str:
    """The median, with the ratio to that of the first tool."""
    middle = f"{statistics.median(series.values):.2f} s"
    found = ratio(series.values, first.values) if series is not first else None
    return f"{middle}, {found.middle:.2f} times" if found else middle


class Axis:
    """A logarithmic axis of round numbers, from one below everything to one above everything."""

    def __init__(self, lowest: float, highest: float) -> None:
        powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        low = max(number for number in numbers if number <= lowest)
        high = min(number for number in numbers if number >= highest and number > low)
        self.ticks = tuple(number for number in numbers if low <= number <= high)

    def place(self, value: float) -> float:
        """Where a value stands, in pixels."""
        low, high = self.ticks[0], self.ticks[-1]
        return LEFT + math.log(value / low) / math.log(high / low) * (WIDTH - LEFT - RIGHT)


def _labelled(axis: Axis) -> Iterator[tuple[float, str]]:
    """Where each line of the grid is, and its label as far as there is room beside the one before."""
    free = 0.0
    for tick in axis.ticks:
        x, label = axis.place(tick), f"{tick:g} s"
        half = LETTER * len(label) / 2
        yield x, label if x - half >= free else ""
        free = x + half + GAP if x - half >= free else free


def _dots(drawing: Drawing, series: Series, axis: Axis, y: float, colour: str) -> None:
    middle = statistics.median(series.values)
    for number, value in enumerate(series.values, 1):
        drawing.add("circle", f"dot {colour}", f"round {number}: {value:.3f} s", cx=axis.place(value), cy=y, r=DOT)
    x = axis.place(middle)
    drawing.add("rect", "median", f"median: {middle:.3f} s", x=x - 1, y=y - MEDIAN, width=2, height=2 * MEDIAN)
