"""Draw a timeline: one horizontal bar for each span of time."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from hubpod.probe.svg import WIDTH, Drawing, ticks

TOP, ROW, BAR = 100, 30, 16
NAME_CHARACTERS = 40
LEFT, RIGHT = 300, 90
NARROWEST = 1.5
"""Minimum width of a bar in pixels, so that it is visible."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span of a timeline.

    Attributes:
        name: Its label.
        start_s: Its start, in seconds since the start of the timeline.
        end_s: Its end, not before its start.
        who: The program whose time it is; each has a colour.
    """

    name: str
    start_s: float
    end_s: float
    who: str = ""

    @property
    def took_s(self) -> float:
        """Its duration, in seconds."""
        return self.end_s - self.start_s


def draw_timeline(title: str, subtitle: str, spans: Sequence[Span]) -> str:
    """Draw one bar for each span, in the given order, over an axis of seconds, as SVG."""
    bottom = TOP + ROW * len(spans)
    drawing = Drawing(title, subtitle, height=bottom + 44)
    longest = max((span.end_s for span in spans), default=0.0)
    scale = (WIDTH - LEFT - RIGHT) / (longest or 1.0)
    colours = {who: f"c{number % 4}" for number, who in enumerate(dict.fromkeys(span.who for span in spans))}
    drawing.legend(colours)
    drawing.bands(TOP, ROW, len(spans))
    for tick in ticks(longest):
        drawing.tick(LEFT + tick * scale, f"{tick:g} s", top=TOP, bottom=bottom)
    for number, span in enumerate(spans):
        _bar(drawing, span, scale, TOP + number * ROW, colours[span.who])
    return drawing.xml()


def _bar(drawing: Drawing, span: Span, scale: float, y: float, colour: str) -> None:
    start, width = LEFT + span.start_s * scale, max(span.took_s * scale, NARROWEST)
    hint = f"{span.name}: from {span.start_s:.3f} s to {span.end_s:.3f} s" + (f", {span.who}" if span.who else "")
    drawing.text(24, y + 20, textwrap.shorten(span.name, NAME_CHARACTERS, placeholder=" …"))
    drawing.add("rect", f"bar {colour}", hint, x=start, y=y + (ROW - BAR) / 2, width=width, height=BAR, rx=2)
    drawing.text(round(start + width + 8, 1), y + 20, f"{span.took_s:.2f} s", "quiet beside")
