"""`logs`: the logs of an instance's containers as one stream in the order of time."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock

from hubpod.commands.inspect import find_containers
from hubpod.context import Context, side_by_side
from hubpod.deployment.log_secrets import find_stored_secrets
from hubpod.instances import Instance
from hubpod.labels import LABEL_DEPLOY_DIR
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.system.line_redaction import LineRedactor
from hubpod.system.process import CommandError
from hubpod.system.redaction import Redactor

TIME = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d) ?(?P<text>.*)"
)
"""A line of ``podman logs --timestamps``: a time in RFC 3339, whose fraction may have fewer than nine digits."""

MAX_WRAPPED_LINES = 100
"""More than a private key or the configuration of a tunnel has."""

NOISE = re.compile(r"GET /api/routes\b")
"""The hub's query to the proxy, once a second."""


@dataclass(frozen=True, kw_only=True, order=True)
class LogLine:
    """One line of a container's log.

    Attributes:
        time: When it was written, in UTC with nine digits after the second, as text that sorts by time.
        container: Name of the container in the pod.
        text: The line.
    """

    time: str
    container: str
    text: str


@dataclass(frozen=True, kw_only=True)
class LogRequest:
    """The part of the logs to print.

    Attributes:
        container: Only this container; None for all.
        since: Start of the logs, as podman takes it: a time, or a duration such as ``10m``. Empty for all.
        tail: Number of lines from the end of each container's log, after the choice by ``pattern``. None for all.
        pattern: Only lines in which this expression occurs.
    """

    container: str | None = None
    since: str = ""
    tail: int | None = None
    pattern: re.Pattern[str] | None = None

    def wants(self, line: LogLine) -> bool:
        """Return whether a line is to be printed."""
        return not NOISE.search(line.text) and (self.pattern is None or bool(self.pattern.search(line.text)))


def show_logs(
    context: Context, instance: Instance, request: LogRequest, on_line: Callable[[LogLine], None], *, follow: bool
) -> None:
    """Pass the lines of the logs on in the order of time and, with ``follow``, later ones as they come.

    Raises:
        NotRunningError: The instance has no pod.
        UsageError: The pod has no such container.
        CommandError: podman cannot read a log.
    """
    containers = find_containers(context, instance, request.container)
    redactor = _make_redactor(context, instance)
    read = {
        name: Reader(podman=context.podman, name=name, state=state, redactor=redactor)
        for name, state in containers.items()
    }
    side_by_side([partial(each.read, request) for each in read.values()])
    for line in sorted((line for each in read.values() for line in each.lines), key=lambda line: line.time):
        on_line(line)
    if follow:
        lock = Lock()
        side_by_side([partial(each.follow, request, partial(_pass_on, on_line, lock)) for each in read.values()])


def _make_redactor(context: Context, instance: Instance) -> Redactor:
    """Make a redactor that knows the instance's own secrets."""
    deploy_dir = context.snapshot(instance).volume_label(LABEL_DEPLOY_DIR)
    return Redactor(find_stored_secrets(instance, context.workspace.files(instance), Path(deploy_dir)))


def _pass_on(on_line: Callable[[LogLine], None], lock: Lock, line: LogLine) -> None:
    with lock:
        on_line(line)


@dataclass(kw_only=True)
class Reader:
    """Reads the log of one container.

    Attributes:
        podman: podman.
        name: Name of the container in the pod.
        state: podman's state of it.
        redactor: Redacts secrets before anything else is done with a line.
        lines: The lines that were read at once.
        last: Time of the last line that was read.
    """

    podman: Podman
    name: str
    state: ContainerState
    redactor: Redactor
    lines: Sequence[LogLine] = ()
    last: str = ""

    def read(self, request: LogRequest) -> None:
        """Read the lines up to now."""
        options = [f"--since={request.since}"] if request.since else []
        if request.tail is not None and not request.pattern:
            # A secret that is wrapped in several lines is recognized by its beginning.
            options.append(f"--tail={request.tail + MAX_WRAPPED_LINES}")
        lines: list[LogLine] = []
        self._stream(options, lines.append)
        self.last = lines[-1].time if lines else ""
        wanted = [line for line in lines if request.wants(line)]
        self.lines = wanted if request.tail is None else wanted[max(0, len(wanted) - request.tail) :]

    def follow(self, request: LogRequest, on_line: Callable[[LogLine], None]) -> None:
        """Pass on every later line until the container ends."""
        since = f"{self.last[:19]}Z" if self.last else request.since

        def pass_on(line: LogLine) -> None:
            if line.time > self.last and request.wants(line):
                on_line(line)

        self._stream(["--follow", *([f"--since={since}"] if since else [])], pass_on)

    def _stream(self, options: Iterable[str], on_line: Callable[[LogLine], None]) -> None:
        """Run ``podman logs``.

        Raises:
            CommandError: podman failed.
        """
        times, redactor = [""], LineRedactor(self.redactor)

        def parse(raw: str) -> None:
            found = TIME.fullmatch(raw)
            if found:
                second = datetime.fromisoformat(found["second"] + found["zone"]).astimezone(UTC)
                times[0] = f"{second:%FT%T}.{(found['fraction'] or '').ljust(9, '0')}"
            # A line without a time continues the one before.
            text = redactor.line(found["text"] if found else raw)
            on_line(LogLine(time=times[0], container=self.name, text=text))

        result = self.podman.stream("logs", "--timestamps", *options, self.state.name, on_line=parse)
        if not result.ok:
            raise CommandError(result)
