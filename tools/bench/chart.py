"""Chart of a benchmark run as SVG: a row per series, a dot per round, a bar at the median."""

import io
import statistics
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from bench.report import ratio
from bench.results import Series

WIDTH_INCHES, ROW_INCHES, MARGIN_INCHES = 10.0, 0.27, 1.3
LABEL_CHARACTERS = 52
STYLE = mpl.RcParams(
    {
        "svg.fonttype": "none",  # text stays text: searchable, and small
        "svg.hashsalt": "hubpod",  # equal data gives an equal file
        "text.parse_math": False,
        "font.size": 9.0,
    }
)


def render(title: str, subtitle: str, series: Sequence[Series]) -> str:
    """Draw the durations among the series on a logarithmic axis.

    The same metric of different tools is in adjacent rows.
    """
    durations = [each for each in series if each.in_seconds and min(each.values, default=0) > 0]
    groups = _group_by_metric(durations)
    rows = [each for group in groups.values() for each in group]
    tools = list(dict.fromkeys(each.tool for each in durations))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, MARGIN_INCHES + ROW_INCHES * len(rows)), layout="constrained")
        figure.suptitle(title)
        axes = figure.subplots()
        axes.set_title(subtitle, fontsize="medium", color="dimgray")
        for y, each in enumerate(rows):
            _draw_row(axes, y, each, first=groups[each.case, each.metric][0], colour=f"C{tools.index(each.tool)}")
        _format_axes(axes, [_label(each) for each in rows])
        if len(tools) > 1:
            handles = [axes.scatter([], [], color=f"C{number}", label=tool) for number, tool in enumerate(tools)]
            figure.legend(handles=handles, loc="outside lower center", ncols=len(tools))
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _group_by_metric(series: Sequence[Series]) -> dict[tuple[str, str], list[Series]]:
    groups: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        groups.setdefault((each.case, each.metric), []).append(each)
    return groups


def _draw_row(axes: Axes, y: int, series: Series, *, first: Series, colour: str) -> None:
    """Draw the dots and the median of a series, with the ratio to the first tool's median."""
    median = statistics.median(series.values)
    found = ratio(series.values, first.values) if series is not first else None
    note = f"{median:.2f} s, {found.median:.2f} times" if found else f"{median:.2f} s"
    axes.scatter(series.values, [y] * len(series.values), color=colour, alpha=0.65, linewidths=0, gid=f"dots-{y}")
    axes.plot([median, median], [y - 0.35, y + 0.35], color="black", gid=f"median-{y}")
    axes.annotate(note, (max(series.values), y), (8, 0), textcoords="offset points", va="center", color="dimgray")


def _format_axes(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.margins(x=0.12)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)  # the first row on top
    axes.tick_params(left=False)
    axes.grid(axis="x", color="lightgray")
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _label(series: Series) -> str:
    """Shorten the title to fit, but never the metric, which distinguishes the rows of a case."""
    metric = f", {series.metric}" if series.metric else ""
    title = series.title.replace("`", "")
    return textwrap.shorten(title, LABEL_CHARACTERS - len(metric), placeholder=" …") + metric
