"""Something that took time, as bars one below the other. Pure."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from hubpod.svg import WIDTH, Drawing, ticks

TOP, ROW, BAR = 100, 30, 16
NAME_CHARACTERS = 40
LEFT, RIGHT = 300, 90
NARROWEST = 1.5
"""Pixels of a bar that would be too short to be seen."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """One part of it.

    Attributes:
        name: What happened.
        start_s: When it began, in seconds since the beginning of all.
        end_s: When it ended; never before its start.
        who: Whose time it is; each has a colour.
    """

    name: str
    start_s: float
    end_s: float
    who: str = ""

    @property
    def took_s(self) -> float:
        """How long it took, in seconds."""
        return self.end_s - self.start_s


def drawn(title: str, subtitle: str, spans: Sequence[Span]) -> str:
    """The spans as SVG, one bar for each, in the order given, over an axis of seconds."""
    bottom = TOP + ROW * len(spans)
    drawing = Drawing(title, subtitle, height=bottom + 44)
    longest = max((span.end_s for span in spans), default=0.0)
    scale = (WIDTH - LEFT - RIGHT) / (longest or 1.0)
    colours = {who: f"c{number % 4}" for number, who in enumerate(dict.fromkeys(span.who for span in spans))}
    _legend(drawing, colours)
    for number in range(0, len(spans), 2):
        drawing.add("rect", "band", x=12, y=TOP + number * ROW, width=WIDTH - 24, height=ROW, rx=4)
    _axis(drawing, longest, scale, bottom)
    for number, span in enumerate(spans):
        _bar(drawing, span, scale, TOP + number * ROW, colours[span.who])
    return drawing.xml()


def _legend(drawing: Drawing, colours: dict[str, str]) -> None:
    x = 24
    for who, colour in colours.items():
        if who:
            drawing.add("circle", colour, cx=x + 5, cy=78, r=5)
            drawing.text(x + 16, 82, who, "quiet")
            x += 44 + 7 * len(who)


def _axis(drawing: Drawing, longest: float, scale: float, bottom: float) -> None:
    for tick in ticks(longest):
        x = LEFT + tick * scale
        drawing.add("line", "grid", x1=x, x2=x, y1=TOP, y2=bottom + 6)
        drawing.text(round(x, 1), bottom + 24, f"{tick:g} s", "quiet middle")


def _bar(drawing: Drawing, span: Span, scale: float, y: float, colour: str) -> None:
    start, width = LEFT + span.start_s * scale, max(span.took_s * scale, NARROWEST)
    hint = f"{span.name}: from {span.start_s:.3f} s to {span.end_s:.3f} s"
    drawing.text(24, y + 20, textwrap.shorten(span.name, NAME_CHARACTERS, placeholder=" …"))
    drawing.add("rect", f"bar {colour}", hint, x=start, y=y + (ROW - BAR) / 2, width=width, height=BAR, rx=2)
    drawing.text(round(start + width + 8, 1), y + 20, f"{span.took_s:.2f} s", "quiet beside")
