"""What broke: the lines of a hub's log that tell a stranger most about a failure. Pure.

The hub's own code and its libraries are long; what somebody changes is short. So a traceback is shown by its frames in
the code under test, and where there is none, by the warnings and errors that the hub logged.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

MAX_LINES: Final = 40
LAST_COMPLAINTS: Final = 8

OWN_CODE: Final = re.compile(r"/(?:bricsauthenticator|slurmspawner_wrappers|fragments)/|/jupyterhub_config\.py$")
"""Files of the code under test: the two packages, wherever they are installed, and the hub's configuration."""

TRACEBACK: Final = "Traceback (most recent call last):"
FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line \d+')
PACKAGE = re.compile(r"/(?:site-packages|lib/python[\d.]+(?!/site-packages))/([^/.]+)")
# [E 2026-01-31 08:16:48.892 JupyterHub user:884] …: https://traitlets.readthedocs.io, Application.log_format
RECORD = re.compile(r"^\[(?P<level>[DIWEC]) \d{4}-\d\d-\d\d ")
COMPLAINT = re.compile(r"^(?:\[[WEC] \d{4}-|(?:WARNING|ERROR|CRITICAL)\b)")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What was logged at once.

    Attributes:
        lines: Its lines: the first one, and those that belong to it.
    """

    lines: tuple[str, ...]

    @property
    def is_complaint(self) -> bool:
        """Whether it is a warning or worse."""
        return bool(COMPLAINT.match(self.lines[0]))

    @property
    def traceback(self) -> tuple[str, ...]:
        """From the beginning of its first traceback to its end; empty when it has none."""
        start = next((at for at, line in enumerate(self.lines) if line.strip() == TRACEBACK), len(self.lines))
        return self.lines[start:]

    @property
    def blames_own_code(self) -> bool:
        """Whether its traceback goes through the code under test."""
        return any(_is_own(line) for line in self.traceback)


def excerpt(error: BaseException | None, log: Sequence[str] = ()) -> tuple[str, ...]:
    """The most telling lines of a hub's log, at most 40 and in the log's order; none when nothing tells.

    Args:
        error: What the test met. A HubError brings the hub's log of its time, and the sentence that the person saw.
        log: The lines of the whole log; those that the error brings are looked at first.
    """
    logs = (tuple(getattr(error, "hub_log", ())), tuple(log))
    entries = [tuple(_entries(lines)) for lines in logs]
    for known in entries:
        blamed = next((entry for entry in reversed(known) if entry.blames_own_code), None)
        if blamed:
            head = blamed.lines[:1] if blamed.is_complaint else ()
            return (*head, *_shortened(blamed.traceback))[-MAX_LINES:]
    sentence = str(getattr(error, "sentence", ""))
    return next(filter(None, (_complaints(known, sentence) for known in entries)), ())


def _complaints(entries: Sequence[Entry], sentence: str) -> tuple[str, ...]:
    """The last warnings and errors; those that say what the person read, if there are such."""
    complaints = [entry for entry in entries if entry.is_complaint]
    saying = [entry for entry in complaints if sentence and sentence in " ".join(entry.lines)]
    last = (saying or complaints)[-LAST_COMPLAINTS:]
    # Of a long one, such as a traceback of other code, the end says what happened.
    short = [entry.lines if len(entry.lines) <= LAST_COMPLAINTS else _ends(entry.lines) for entry in last]
    return tuple(line for lines in short for line in lines)[-MAX_LINES:]


def _ends(lines: tuple[str, ...]) -> tuple[str, ...]:
    return (lines[0], "    …", *lines[-2:])


def _entries(lines: Sequence[str]) -> Iterator[Entry]:
    """The log's entries: a line that begins as none does belongs to the one before it."""
    current: list[str] = []
    for line in lines:
        if current and (RECORD.match(line) or COMPLAINT.match(line)):
            yield Entry(lines=tuple(current))
            current = []
        if current or line.strip():
            current.append(line)
    if current:
        yield Entry(lines=tuple(current))


def _shortened(traceback: Sequence[str]) -> Iterator[str]:
    """A traceback with its own frames, and with the one that raised; of others, how many and of whom."""
    frames = _frames(traceback)
    raising = {at for at, frame in enumerate(frames) if _is_frame(frame) and not _is_frame(_next_of(frames, at))}
    kept = [not _is_frame(frame) or _is_own(frame[0]) or at in raising for at, frame in enumerate(frames)]
    for keep, group in groupby(zip(kept, frames, strict=True), key=lambda pair: pair[0]):
        several = [frame for _, frame in group]
        if keep:
            yield from (line for frame in several for line in frame if set(line.strip()) - set("^~ "))
        else:
            indent = several[0][0][: len(several[0][0]) - len(several[0][0].lstrip())]
            count = f"{len(several)} frame{'s' if len(several) > 1 else ''}"
            yield f"{indent}… {count} in {', '.join(dict.fromkeys(_package(frame[0]) for frame in several))}"


def _next_of(frames: Sequence[tuple[str, ...]], at: int) -> tuple[str, ...]:
    """The one after that; empty after the last."""
    return frames[at + 1] if at + 1 < len(frames) else ()


def _frames(traceback: Sequence[str]) -> list[tuple[str, ...]]:
    """A frame with its source lines each, and every other line for itself."""
    found: list[list[str]] = []
    for line in traceback:
        if found and _is_frame(found[-1]) and _indent(line) > _indent(found[-1][0]):
            found[-1].append(line)
        else:
            found.append([line])
    return [tuple(frame) for frame in found]


def _is_frame(frame: Sequence[str]) -> bool:
    return bool(frame) and bool(FRAME.match(frame[0]))


def _is_own(line: str) -> bool:
    frame = FRAME.match(line)
    return frame is not None and OWN_CODE.search(frame["path"]) is not None


def _package(line: str) -> str:
    found = PACKAGE.search(line)
    return found[1] if found else "other files"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
