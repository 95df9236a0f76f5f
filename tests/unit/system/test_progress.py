"""What a person sees of phases."""

import io
import re
import threading
import time

import pytest
from rich.console import Console

from hubpod.system import progress
from hubpod.system.progress import PLAIN, SIGNS, ConsoleReporter, marks

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def console(*, terminal: bool = False, width: int = 100) -> tuple[Console, io.StringIO]:
    """A console, and what is written on it."""
    written = io.StringIO()
    made = Console(
        file=written,
        force_terminal=terminal,
        force_interactive=terminal,
        color_system=None,
        width=width,
        highlight=False,
        emoji=False,
        _environ={"TERM": "xterm"},
    )
    return made, written


def encoded(encoding: str) -> Console:
    """A console with an encoding."""
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding))


def test_off_a_terminal_a_phase_is_one_line() -> None:
    """Mark, title, what it came to and the time it took are one line, however long."""
    screen, written = console(width=20)

    with ConsoleReporter(console=screen).phase("jupyterhub image") as phase:
        phase.detail("STEP 1/9")
        phase.result("localhost/hubpod/jupyterhub:0123456789abcdef")

    assert re.fullmatch(
        r"✓ jupyterhub image: localhost/hubpod/jupyterhub:0123456789abcdef 0\.\d s\n", written.getvalue()
    )


def test_a_phase_that_fails_is_marked() -> None:
    """An error that leaves a phase marks it as failed."""
    screen, written = console()

    with pytest.raises(ValueError, match="why"), ConsoleReporter(console=screen).phase("settings"):
        raise ValueError("why")

    assert written.getvalue().startswith("✗ settings ")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("value", ["/tmp/a[b]/x", "/tmp/[/foo]/x", "[red]", ":smile:", "100 {percent}", "end\\"])  # noqa: S108
def test_values_are_shown_as_they_are(value: str, *, terminal: bool) -> None:
    """Whatever stands in a title, a detail, a result or a line is no markup."""
    screen, written = console(terminal=terminal)
    reporter = ConsoleReporter(console=screen)

    with reporter.phase(f"title {value}") as phase:
        phase.detail(f"detail {value}")
        phase.result(f"result {value}")
        reporter.say(f"line {value}")

    text = CONTROLS.sub("", written.getvalue())
    assert f"title {value}: result {value} " in text
    assert f"line {value}\n" in text


def test_on_a_terminal_the_current_detail_is_live() -> None:
    """A terminal shows the running phases with their last detail, and in the end a line for each."""
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


def test_off_a_terminal_a_long_phase_tells_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detail is told when the last one is old enough, and only when it is another one."""
    begin = time.monotonic()
    screen, written = console()

    with ConsoleReporter(console=screen).phase("image") as phase:
        for second in (*range(1, 12), 12.5, 60):
            monkeypatch.setattr(time, "monotonic", lambda now=begin + second: now)
            phase.detail(f"line {min(second, 12)}")

    assert written.getvalue().splitlines()[:-1] == ["  image: line 6", "  image: line 12"]


def test_phases_of_several_threads_keep_their_lines_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of phases that run side by side do not get into each other."""
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
    ("encoding", "expected"), [("utf-8", SIGNS), ("latin-1", PLAIN), ("ascii", PLAIN), ("utf-16", SIGNS)]
)
def test_marks_are_those_that_the_encoding_has(encoding: str, expected: progress.Marks) -> None:
    """Where the signs cannot be written there are plain ones."""
    assert marks(encoded(encoding)) == expected
