"""Print the logs of an instance: short names, colours on terminals only, and nothing that controls a terminal."""

import os
import re
import sys
from collections.abc import Callable

from hubpod.commands.logs import LogLine, LogRequest
from hubpod.components.assembly import components
from hubpod.errors import UsageError
from hubpod.instances import Instance

CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
"""Escape sequences and control characters, which a user could have written into a log."""

COLOURS = ("36", "33", "32", "35", "34", "31")
SINCE = re.compile(r"(\d+(\.\d+)?(ms|s|m|h))+|\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?|\d{9,}")


def parse_log_request(container: str | None, since: str | None, tail: str | None, grep: str | None) -> LogRequest:
    """Parse the options of `logs`.

    Raises:
        UsageError: A value is invalid.
    """
    if since is not None and not SINCE.fullmatch(since):
        raise UsageError(
            f"--since {since}: neither a duration nor a time", remedy="write it as 10m, 1h30m or 2026-01-31T08:00:00"
        )
    if tail is not None and not tail.isdecimal():
        raise UsageError(f"--tail {tail}: must be a number of lines")
    try:
        pattern = re.compile(grep) if grep is not None else None
    except re.error as error:
        raise UsageError(f"--grep {grep}: {error}", remedy="give a regular expression of Python") from None
    lines = None if tail is None else int(tail)
    return LogRequest(container=container, since=(since or "").replace(" ", "T"), tail=lines, pattern=pattern)


def make_printer(instance: Instance) -> Callable[[LogLine], None]:
    """Return a function that prints a line of an instance's logs with the name of its container."""
    containers = [component.name for component in components(instance.environment)]
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = max(map(len, containers), default=0)
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(containers)}

    def print_line(line: LogLine) -> None:
        name = line.container.ljust(width)
        if coloured:
            name = f"\x1b[{colours.get(line.container, '0')}m{name}\x1b[0m"
        sys.stdout.write(f"{name} | {CONTROL.sub('', line.text)}\n")
        sys.stdout.flush()

    return print_line
