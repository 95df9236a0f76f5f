"""Parse log records and the Python tracebacks in them. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BEGIN = "Traceback (most recent call last):"
MARKS = frozenset("^~ ")
"""Characters of the line with which Python marks a part of a source line."""

_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line \d+')
# [E 2026-01-31 08:16:48.892 JupyterHub user:884] …: https://traitlets.readthedocs.io, Application.log_format
_RECORD = re.compile(r"^\[[DIWEC] \d{4}-\d\d-\d\d ")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A frame of a traceback with its source lines, or a single line of another kind.

    Attributes:
        path: The frame's file; empty for another line.
        lines: The lines as they are in the log.
    """

    path: str
    lines: tuple[str, ...]


def begins_record(line: str) -> bool:
    """Return whether a line is the first one of a traitlets application's log record.

    JupyterHub is such an application.
    """
    return bool(_RECORD.match(line))


def find_tracebacks(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield each traceback from its first frame to its exception, without the log's indentation."""
    for start, line in enumerate(lines):
        if line.strip() != BEGIN:
            continue
        margin = line.index(BEGIN)
        found: list[str] = []
        for each in lines[start + 1 :]:
            if begins_record(each) or each.strip() == BEGIN or (found and not found[-1].startswith(" ")):
                break
            found.append(each[margin:])
        yield tuple(found)


def parse_parts(traceback: Sequence[str]) -> tuple[Part, ...]:
    """Group the lines of a traceback into frames and other lines."""
    found: list[list[str]] = []
    for line in traceback:
        if found and _FRAME.match(found[-1][0]) and _indent(line) > _indent(found[-1][0]):
            found[-1].append(line)
        else:
            found.append([line])
    return tuple(Part(path=_path(lines[0]), lines=tuple(lines)) for lines in found)


def is_mark(line: str) -> bool:
    """Return whether a line has no text, or only marks a part of the source line above it."""
    return set(line.strip()) <= MARKS


def _path(line: str) -> str:
    frame = _FRAME.match(line)
    return frame["path"] if frame else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
