"""What was measured as a drawing: a row for each figure, a dot for each round, a line at the median. Pure."""

import math
import statistics
import textwrap
from collections.abc import Sequence

from bench.results import Series
from hubpod.svg import WIDTH, Drawing

TOP, ROW, LEFT, RIGHT = 100, 30, 380, 90
LABEL_CHARACTERS = 52
DOT, MEDIAN = 4.0, 10.0


def drawn(title: str, subtitle: str, series: Sequence[Series]) -> str:
    """The times among the series as SVG, over a logarithmic axis of seconds."""
    times = [each for each in series if each.in_seconds and min(each.values, default=0) > 0]
    values = [value for each in times for value in each.values] or [1.0]
    axis = Axis(min(values), max(values))
    bottom = TOP + ROW * len(times)
    drawing = Drawing(title, subtitle, height=bottom + 44)
    tools = list(dict.fromkeys(each.tool for each in times))
    if len(tools) > 1:
        drawing.legend({tool: f"c{number % 4}" for number, tool in enumerate(tools)})
    drawing.bands(TOP, ROW, len(times))
    for tick in axis.ticks:
        drawing.tick(axis.place(tick), f"{tick:g} s", top=TOP, bottom=bottom)
    for number, each in enumerate(times):
        _row(drawing, each, axis, TOP + ROW * (number + 0.5), f"c{tools.index(each.tool) % 4}")
    return drawing.xml()


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


def _row(drawing: Drawing, series: Series, axis: Axis, y: float, colour: str) -> None:
    middle = statistics.median(series.values)
    drawing.text(24, y + 5, textwrap.shorten(series.label.replace("`", ""), LABEL_CHARACTERS, placeholder=" …"))
    for number, value in enumerate(series.values, 1):
        drawing.add("circle", f"dot {colour}", f"round {number}: {value:.3f} s", cx=axis.place(value), cy=y, r=DOT)
    x = axis.place(middle)
    drawing.add("rect", "median", f"median: {middle:.3f} s", x=x - 1, y=y - MEDIAN, width=2, height=2 * MEDIAN)
    drawing.text(round(axis.place(max(series.values)) + 12, 1), y + 5, f"{middle:.2f} s", "quiet beside")
