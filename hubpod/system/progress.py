"""Report the phases of a command: live lines on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

DETAIL_CHARACTERS = 90
PLAIN_DETAIL_EVERY_S = 5.0
"""Seconds between two progress lines of a phase when the output is not a terminal."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The marks at the start of lines, and the name of rich's spinner in the same style."""

    good: str
    warning: str
    bad: str
    remedy: str
    spinner: str


UNICODE_MARKS = Marks(good="✓", warning="!", bad="✗", remedy="→", spinner="dots")
ASCII_MARKS = Marks(good="ok", warning="--", bad="!!", remedy="->", spinner="line")


def marks(console: Console) -> Marks:
    """Return the marks that the encoding of a console can represent."""
    try:
        (UNICODE_MARKS.good + UNICODE_MARKS.bad + UNICODE_MARKS.remedy).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII_MARKS
    return UNICODE_MARKS


class Phase(Protocol):
    """A phase of a command in progress."""

    def detail(self, line: str) -> None:
        """Report progress in one line, which replaces the previous one."""

    def result(self, text: str) -> None:
        """Set the result, which is printed after the title when the phase ends."""


class Reporter(Protocol):
    """The interface through which commands report their progress."""

    def phase(self, title: str) -> AbstractContextManager[Phase]:
        """Report the start of a phase and, when the block ends, its end and duration."""

    def say(self, line: str = "") -> None:
        """Print one line."""


@dataclass(kw_only=True)
class _Line:
    """A phase on a console: a task of rich's live display, or plain lines.

    Attributes:
        result_text: The result of the phase.
        printed_at: When the last plain line was printed, in seconds of the monotonic clock.
        printed: The detail in that line.
    """

    title: str
    say: Callable[[str], None]
    progress: "Progress | None" = None
    task: "TaskID | None" = None
    result_text: str = ""
    printed_at: float = field(default_factory=time.monotonic)
    printed: str = ""

    def detail(self, line: str) -> None:
        text = " ".join(line.split())[:DETAIL_CHARACTERS]
        if self.progress and self.task is not None:
            self.progress.update(self.task, detail=text)
        elif text != self.printed and time.monotonic() - self.printed_at > PLAIN_DETAIL_EVERY_S:
            self.printed_at, self.printed = time.monotonic(), text
            self.say(f"  {self.title}: {text}")

    def result(self, text: str) -> None:
        self.result_text = text


@dataclass(kw_only=True)
class ConsoleReporter:
    """A reporter that prints phases to a console.

    A terminal shows spinners with the current detail. Elsewhere, each finished phase is one line.

    Phases of several threads may run in parallel. Lines do not interleave.
    """

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, emoji=False))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: "Progress | None" = None
    _open: int = 0

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Show a phase while the block runs, then print its result and duration."""
        line = self._begin(title)
        start = time.monotonic()
        mark, style = marks(self.console).bad, "red"
        try:
            yield line
            mark, style = marks(self.console).good, "green"
        finally:
            result = f": {line.result_text}" if line.result_text else ""
            took = f"{time.monotonic() - start:.1f} s"
            self._end(line, Text.assemble((mark, style), f" {title}{result} ", (took, "dim")))

    def say(self, line: str = "") -> None:
        """Print one line, above the live lines."""
        with self._lock:
            self.console.print(Text(line), soft_wrap=True)

    def _begin(self, title: str) -> _Line:
        if not self.console.is_terminal:
            return _Line(title=title, say=self.say)
        with self._lock:
            if self._live is None:
                self._live = _live(self.console)
                self._live.start()
            self._open += 1
            task = self._live.add_task(title, total=None, detail="")
            return _Line(title=title, say=self.say, progress=self._live, task=task)

    def _end(self, line: _Line, text: Text) -> None:
        with self._lock:
            if line.progress and line.task is not None:
                line.progress.remove_task(line.task)
                self._open -= 1
                if self._open == 0 and self._live:
                    self._live.stop()
                    self._live = None
            self.console.print(text, soft_wrap=True)


def _live(console: Console) -> "Progress":
    """Return a live display with a spinner for each phase."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - for terminals only

    return Progress(
        SpinnerColumn(marks(console).spinner),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", style="dim", markup=False),
        console=console,
        transient=True,
    )
