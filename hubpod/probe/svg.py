"""Drawings as SVG text, readable on light and dark backgrounds.

https://www.w3.org/TR/SVG2/
"""

import math
from collections.abc import Mapping
from xml.etree import ElementTree as ET

WIDTH = 920
PIXEL_DIGITS = 1
MOST_TICKS = 8
LETTER = 7
"""Approximate width of a letter in pixels."""

STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums }
text { fill: #1f2328 } .quiet { fill: #59636e } .title { font-size: 17px; font-weight: 600 }
.paper { fill: #ffffff } .grid { stroke: #d1d9e0 } .band { fill: #f6f8fa }
.beside { stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke }
.c0 { fill: #0969da } .c1 { fill: #8250df } .c2 { fill: #bc4c00 } .c3 { fill: #1a7f37 }
.middle { text-anchor: middle }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 }
  .paper { fill: #0d1117 } .grid { stroke: #3d444d } .band { fill: #151b23 } .beside { stroke: #0d1117 }
  .c0 { fill: #4493f8 } .c1 { fill: #ab7df8 } .c2 { fill: #db6d28 } .c3 { fill: #3fb950 }
}
"""
"""All colours come from classes: c0 to c3 are for categories, `beside` is for text on grid lines."""


class Drawing:
    """An SVG document to which elements are added, from bottom to top.

    Args:
        title: Title at the top, which screen readers read in place of the drawing.
        subtitle: Line below the title.
        height: Height in pixels.
    """

    def __init__(self, title: str, subtitle: str, *, height: float) -> None:
        view = {"viewBox": f"0 0 {WIDTH} {height:g}", "width": str(WIDTH), "height": f"{height:g}", "role": "img"}
        self._root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **view})
        ET.SubElement(self._root, "title").text = printable(title)
        ET.SubElement(self._root, "style").text = STYLE
        self.add("rect", "paper", x=0, y=0, width=WIDTH, height=height, rx=6)
        self.text(24, 34, title, "title")
        self.text(24, 56, subtitle, "quiet")

    def add(self, tag: str, look: str, hint: str = "", **numbers: float) -> None:
        """Add a shape.

        Args:
            tag: Name of the element, such as `rect`.
            look: Classes of the element.
            hint: Tooltip.
            numbers: Attributes of the element.
        """
        values = {name: f"{round(value, PIXEL_DIGITS):g}" for name, value in numbers.items()}
        shape = ET.SubElement(self._root, tag, {"class": look, **values})
        if hint:
            ET.SubElement(shape, "title").text = printable(hint)

    def text(self, x: float, y: float, words: str, look: str = "") -> None:
        """Add text with its baseline at y."""
        place = {"x": f"{x:g}", "y": f"{y:g}"} | ({"class": look} if look else {})
        ET.SubElement(self._root, "text", place).text = printable(words)

    def legend(self, colours: Mapping[str, str]) -> None:
        """Add a legend of the colours below the subtitle, as far as it fits.

        An empty name is omitted.
        """
        x = 24
        for name, colour in colours.items():
            if name and x + 16 + LETTER * len(name) < WIDTH:
                self.add("circle", colour, cx=x + 5, cy=78, r=5)
                self.text(x + 16, 82, name, "quiet")
                x += 44 + LETTER * len(name)

    def bands(self, top: float, height: float, count: int) -> None:
        """Shade every other row."""
        for number in range(0, count, 2):
            self.add("rect", "band", x=12, y=top + number * height, width=WIDTH - 24, height=height, rx=4)

    def tick(self, x: float, label: str, *, top: float, bottom: float) -> None:
        """Add a grid line with a label below it."""
        self.add("line", "grid", x1=x, x2=x, y1=top, y2=bottom + 6)
        self.text(round(x, PIXEL_DIGITS), bottom + 24, label, "quiet middle")

    def xml(self) -> str:
        """Return the document."""
        return ET.tostring(self._root, encoding="unicode") + "\n"


def printable(words: str) -> str:
    """Replace control characters, which XML does not allow."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def ticks(longest: float) -> list[float]:
    """Return round numbers from 0 to at most `longest` for the labels of an axis."""
    if longest <= 0:
        return [0.0]
    rough = longest / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [number * step for number in range(math.floor(longest / step + 1e-9) + 1)]


def page(drawing: str, title: str) -> str:
    """Return an HTML page with a drawing."""
    head = ET.Element("title")
    head.text = printable(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="color-scheme" content="light dark">\n'
        + ET.tostring(head, encoding="unicode")
        + f"\n{drawing}</html>\n"
    )
