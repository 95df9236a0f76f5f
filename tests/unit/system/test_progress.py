"""Phases on a terminal and elsewhere."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from hubpod.system import progress
from hubpod.system.progress import ASCII_MARKS, UNICODE_MARKS, ConsoleReporter, marks

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(*, terminal: bool = False, width: int = 100) -> tuple[Console, io.StringIO]:
    """Return a console and its output."""
    written = io.StringIO()
    screen = Console(
        file=written,
        force_terminal=terminal,
        force_interactive=terminal,
        color_system=None,
        width=width,
        highlight=False,
        emoji=False,
        _environ={"TERM": "xterm"},
    )
    return screen, written


def console_with_encoding(encoding: str) -> Console:
    """Return a console with an encoding."""
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding))


def test_phase_is_one_line_without_a_terminal() -> None:
    """Mark, title, result and duration are one line, however long."""
    screen, written = console(width=20)

    with ConsoleReporter(console=screen).phase("jupyterhub image") as phase:
        phase.detail("STEP 1/9")
        phase.result("localhost/hubpod/jupyterhub:0123456789abcdef")

    assert re.fullmatch(
        r"✓ jupyterhub image: localhost/hubpod/jupyterhub:0123456789abcdef 0\.\d s\n", written.getvalue()
    )


def test_failed_phase_is_marked() -> None:
    """A phase whose block raises has the mark for failure."""
    screen, written = console()

    with pytest.raises(ValueError, match="why"), ConsoleReporter(console=screen).phase("settings"):
        raise ValueError("why")

    assert written.getvalue().startswith("✗ settings ")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("value", ["/tmp/a[b]/x", "/tmp/[/foo]/x", "[red]", ":smile:", "100 {percent}", "end\\"])  # noqa: S108
def test_values_are_not_markup(value: str, *, terminal: bool) -> None:
    """Titles, details, results and lines are printed literally."""
    screen, written = console(terminal=terminal)
    reporter = ConsoleReporter(console=screen)

    with reporter.phase(f"title {value}") as phase:
        phase.detail(f"detail {value}")
        phase.result(f"result {value}")
        reporter.say(f"line {value}")

    text = CONTROLS.sub("", written.getvalue())
    assert f"title {value}: result {value} " in text
    assert f"line {value}\n" in text


def test_terminal_shows_live_details() -> None:
    """A terminal shows each running phase with its latest detail, and a final line when it ends."""
    screen, written = console(terminal=True)
    reporter = ConsoleReporter(console=screen)

    with reporter.phase("one") as one, reporter.phase("two") as two:
        one.detail("first  of one")
        two.detail("first of two")
        assert reporter._live
        reporter._live.refresh()
        live = CONTROLS.sub("", written.getvalue())
    ended = CONTROLS.sub("", written.getvalue())

    assert re.search(r"one 0:00:00 first of one", live)
    assert re.search(r"two 0:00:00 first of two", live)
    assert ended.index("✓ two ") < ended.index("✓ one ")
    assert reporter._live is None


def test_long_phase_prints_details_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a changed detail is printed once the previous one is old enough."""
    begin = time.monotonic()
    screen, written = console()

    with ConsoleReporter(console=screen).phase("image") as phase:
        for second in (*range(1, 12), 12.5, 60):
            monkeypatch.setattr(time, "monotonic", lambda now=begin + second: now)
            phase.detail(f"line {min(second, 12)}")

    assert written.getvalue().splitlines()[:-1] == ["  image: line 6", "  image: line 12"]


def test_lines_of_parallel_phases_do_not_interleave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of two phases in different threads is printed whole."""
    monkeypatch.setattr(progress, "PLAIN_DETAIL_EVERY_S", -1.0)
    screen, written = console()
    reporter = ConsoleReporter(console=screen)

    def work(name: str) -> None:
        with reporter.phase(name) as phase:
            for number in range(200):
                phase.detail(f"{number} {name * 20}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = written.getvalue().splitlines()
    assert len(lines) == 402
    assert all(re.fullmatch(r"  (\w): \d+ \1{20}|✓ \w \d+\.\d s", line) for line in lines)


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", UNICODE_MARKS), ("latin-1", ASCII_MARKS), ("ascii", ASCII_MARKS), ("utf-16", UNICODE_MARKS)],
)
def test_marks_fit_the_encoding(encoding: str, expected: progress.Marks) -> None:
    """An encoding without the Unicode marks gets ASCII ones."""
    assert marks(console_with_encoding(encoding)) == expected
