"""What a person sees of a command's phases: live lines on a terminal, plain lines elsewhere."""

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
"""Off a terminal, a long phase tells how far it is this often."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The signs before lines, and the name of rich's spinner in the same style."""

    good: str
    warning: str
    bad: str
    remedy: str
    spinner: str


SIGNS = Marks(good="✓", warning="!", bad="✗", remedy="→", spinner="dots")
PLAIN = Marks(good="ok", warning="--", bad="!!", remedy="->", spinner="line")


def marks(console: Console) -> Marks:
    """The marks that a console's encoding can show."""
    try:
        (SIGNS.good + SIGNS.bad + SIGNS.remedy).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return SIGNS


class Phase(Protocol):
    """One thing that a command does at the moment."""

    def detail(self, line: str) -> None:
        """Say how far it is, in one line that replaces the one before."""

    def result(self, text: str) -> None:
        """Say what it came to; shown behind its title at its end."""


class Reporter(Protocol):
    """Where commands tell what they do."""

    def phase(self, title: str) -> AbstractContextManager[Phase]:
        """Tell that something begins; its end and how long it took are told when the block ends."""

    def say(self, line: str = "") -> None:
        """Tell one line."""


@dataclass(kw_only=True)
class _Line:
    """A phase that collects its words for whoever draws it."""

    title: str
    say: Callable[[str], None]
    progress: "Progress | None" = None
    task: "TaskID | None" = None
    came_to: str = ""
    told: float = field(default_factory=time.monotonic)
    shown: str = ""

    def detail(self, line: str) -> None:
        text = " ".join(line.split())[:DETAIL_CHARACTERS]
        if self.progress and self.task is not None:
            self.progress.update(self.task, detail=text)
        elif text != self.shown and time.monotonic() - self.told > PLAIN_DETAIL_EVERY_S:
            self.told, self.shown = time.monotonic(), text
            self.say(f"  {self.title}: {text}")

    def result(self, text: str) -> None:
        self.came_to = text


@dataclass(kw_only=True)
class ConsoleReporter:
    """Reports on a console: spinners with the current detail on a terminal, one line per finished phase elsewhere.

    Phases of several threads may run side by side; each line is printed whole.
    """

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, emoji=False))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: "Progress | None" = None
    _open: int = 0

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Show a phase from its begin to its end, with the time it took."""
        line = self._begin(title)
        start = time.monotonic()
        mark, style = marks(self.console).bad, "red"
        try:
            yield line
            mark, style = marks(self.console).good, "green"
        finally:
            result = f": {line.came_to}" if line.came_to else ""
            took = f"{time.monotonic() - start:.1f} s"
            self._end(line, Text.assemble((mark, style), f" {title}{result} ", (took, "dim")))

    def say(self, line: str = "") -> None:
        """Print one line above whatever is live."""
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
    """Lines that move, with a spinner for each phase."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - for terminals only

    return Progress(
        SpinnerColumn(marks(console).spinner),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", style="dim", markup=False),
        console=console,
        transient=True,
    )
