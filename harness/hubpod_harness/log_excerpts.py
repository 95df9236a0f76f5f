"""Excerpt of a hub's log: the most likely causes of a failure. Pure.

The hub's own code and its libraries are long, and the code under test is short. A traceback is therefore shown by its
frames in the code under test. Without such a traceback, the excerpt has the last warnings and errors of the hub.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from hubpod.system.tracebacks import BEGIN, Part, begins_record, is_mark, parse_parts

MAX_LINES: Final = 40
MAX_COMPLAINTS: Final = 8

OWN_CODE: Final = re.compile(r"/(?:bricsauthenticator|slurmspawner_wrappers|fragments)/|/jupyterhub_config\.py$")
"""Files of the code under test: the two packages, wherever they are installed, and the hub's configuration."""

PACKAGE = re.compile(r"/(?:site-packages|lib/python[\d.]+(?!/site-packages))/([^/.]+)")
COMPLAINT = re.compile(r"^(?:\[[WEC] \d{4}-|(?:WARNING|ERROR|CRITICAL)\b)")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One log record with all of its lines."""

    lines: tuple[str, ...]

    @property
    def is_complaint(self) -> bool:
        """Return whether the entry is a warning or worse."""
        return bool(COMPLAINT.match(self.lines[0]))

    @property
    def traceback(self) -> tuple[str, ...]:
        """Return the entry's lines from its first traceback on, or none without a traceback."""
        start = next((at for at, line in enumerate(self.lines) if line.strip() == BEGIN), len(self.lines))
        return self.lines[start:]

    @property
    def involves_own_code(self) -> bool:
        """Return whether the traceback has a frame in the code under test."""
        return any(_is_own(part) for part in parse_parts(self.traceback))


def excerpt(error: BaseException | None, log: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the lines of a hub's log that explain a failure, at most 40 and in the log's order.

    Args:
        error: The failure. A HubError carries the hub's log during the failure, and the message shown to the user.
        log: The lines of the whole log. The lines in the error are searched first.
    """
    logs = (tuple(getattr(error, "hub_log", ())), tuple(log))
    entries = [tuple(_parse_entries(lines)) for lines in logs]
    for each in entries:
        own = next((entry for entry in reversed(each) if entry.involves_own_code), None)
        if own:
            head = own.lines[:1] if own.is_complaint else ()
            return (*head, *_shorten(own.traceback))[-MAX_LINES:]
    sentence = str(getattr(error, "sentence", ""))
    return next(filter(None, (_complaints(each, sentence) for each in entries)), ())


def _complaints(entries: Sequence[Entry], sentence: str) -> tuple[str, ...]:
    """Return the last warnings and errors, or only those with the user's error message."""
    complaints = [entry for entry in entries if entry.is_complaint]
    matching = [entry for entry in complaints if sentence and sentence in " ".join(entry.lines)]
    last = (matching or complaints)[-MAX_COMPLAINTS:]
    # The end of a long entry, such as a traceback of other code, states the error.
    short = [entry.lines if len(entry.lines) <= MAX_COMPLAINTS else _ends(entry.lines) for entry in last]
    return tuple(line for lines in short for line in lines)[-MAX_LINES:]


def _ends(lines: tuple[str, ...]) -> tuple[str, ...]:
    return (lines[0], "    …", *lines[-2:])


def _parse_entries(lines: Sequence[str]) -> Iterator[Entry]:
    """Yield the log's entries. Other lines continue the previous entry."""
    current: list[str] = []
    for line in lines:
        if current and (begins_record(line) or COMPLAINT.match(line)):
            yield Entry(lines=tuple(current))
            current = []
        if current or line.strip():
            current.append(line)
    if current:
        yield Entry(lines=tuple(current))


def _shorten(traceback: Sequence[str]) -> Iterator[str]:
    """Yield the frames in the code under test and the raising frame.

    Other frames are counted by package.
    """
    parts = parse_parts(traceback)
    following = (*(part.path for part in parts[1:]), "")
    kept = [not part.path or _is_own(part) or not after for part, after in zip(parts, following, strict=True)]
    for keep, group in groupby(zip(kept, parts, strict=True), key=lambda pair: pair[0]):
        several = [part for _, part in group]
        if keep:
            yield from (line for part in several for line in part.lines if not is_mark(line))
        else:
            first = several[0].lines[0]
            indent = first[: len(first) - len(first.lstrip())]
            count = f"{len(several)} frame{'s' if len(several) > 1 else ''}"
            yield f"{indent}… {count} in {', '.join(dict.fromkeys(_package(part.path) for part in several))}"


def _is_own(part: Part) -> bool:
    return OWN_CODE.search(part.path) is not None


def _package(path: str) -> str:
    found = PACKAGE.search(path)
    return found[1] if found else "other files"
