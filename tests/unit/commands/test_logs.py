"""Logs of several containers as one stream."""

import os
import pty
import re
import sys
from pathlib import Path

import pytest

from hubpod.cli.logs import make_printer, parse_log_request
from hubpod.commands.logs import LogLine, LogRequest, show_logs
from hubpod.context import Context
from hubpod.environments import find_environment
from hubpod.errors import UsageError
from hubpod.instances import Instance
from hubpod.podman.cli import Podman
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace

INSTANCE = Instance(environment=find_environment("dev_dummyauth"), name="default")
PS = [
    f'{{"Names": ["{INSTANCE.resource}-{name}"], "Image": "x", "State": "running", "Labels": LABELS}}'
    for name in ("slurm", "proxy", "jupyterhub")
]
SCRIPT = """\
#!/bin/sh
for last; do :; done
case $* in
  "ps --all"*) cat "$0.ps" ;;
  *"volume ls"*) echo "[]" ;;
  *logs*--follow*jupyterhub)
    echo "2026-01-31T08:00:04.2Z old hub"
    echo "2026-01-31T08:00:09.000000001Z new hub"
    ;;
  *logs*--follow*) ;;
  *logs*slurm)
    echo "2026-01-31T08:00:01.5Z slurm one"
    echo "2026-01-31T08:00:03.000000002Z slurm two"
    ;;
  *logs*tunnel)
    echo "2026-01-31T08:00:01Z X-Auth-Id-Token: eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
    echo "2026-01-31T08:00:02Z the token of the proxy is 0123456789abcdef"
    echo "2026-01-31T08:00:03Z $(printf 'QUJD%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19)"
    echo "2026-01-31T08:00:03Z QUJD"
    echo "2026-01-31T08:00:04Z after"
    ;;
  *logs*proxy)
    echo "2026-01-31T09:00:01.25+01:00 proxy one" >&2
    echo "2026-01-31T08:00:02Z GET /api/routes 200" >&2
    ;;
  *logs*jupyterhub)
    echo "2026-01-31T08:00:01.500000001Z hub one" >&2
    echo "2026-01-31T08:00:04.2Z hub two" >&2
    ;;
esac
"""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Make a context with a program in podman's place that has three logs."""
    program = tmp_path / "podman"
    program.write_text(SCRIPT)
    program.chmod(0o700)
    labels = "{" + ", ".join(f'"{name}": "{value}"' for name, value in INSTANCE.labels.items()) + "}"
    Path(f"{program}.ps").write_text("[" + ", ".join(PS).replace("LABELS", labels) + "]")
    podman = Podman(executable=str(program))
    podman._versions.append((4, 9, 3))
    return Context(workspace=Workspace(project=tmp_path), podman=podman, reporter=ConsoleReporter())


def read(context: Context, request: LogRequest, *, follow: bool = False) -> list[str]:
    """Return the printed lines, with their containers."""
    lines: list[LogLine] = []
    show_logs(context, INSTANCE, request, lines.append, follow=follow)
    return [f"{line.container}: {line.text}" for line in lines]


ALL = ["proxy: proxy one", "slurm: slurm one", "jupyterhub: hub one", "slurm: slurm two", "jupyterhub: hub two"]


def test_the_logs_are_one_stream_in_the_order_of_time(context: Context) -> None:
    """Both streams of all containers are merged, without the hub's queries to the proxy."""
    assert read(context, LogRequest()) == ALL


@pytest.mark.parametrize(
    ("request_", "lines"),
    [
        (LogRequest(container="slurm"), [ALL[1], ALL[3]]),
        (LogRequest(pattern=re.compile("t[aw]o|^hub")), [ALL[2], ALL[3], ALL[4]]),
        (LogRequest(pattern=re.compile("one|two"), tail=1), [ALL[0], ALL[3], ALL[4]]),
        (LogRequest(pattern=re.compile("one"), tail=0), []),
    ],
)
def test_part_of_the_logs(context: Context, request_: LogRequest, lines: list[str]) -> None:
    """A container, an expression and a number of lines choose; the number counts chosen lines."""
    assert read(context, request_) == lines


def test_following_repeats_no_line(context: Context) -> None:
    """Lines that podman prints again for the second of the last one are dropped."""
    assert read(context, LogRequest(), follow=True) == [*ALL, "jupyterhub: new hub"]


def test_secrets_are_redacted_as_in_artifacts(context: Context) -> None:
    """Tokens, credentials of the instance and wrapped base64 are redacted, also if few lines are printed."""
    credentials = context.workspace.files(INSTANCE).credentials
    credentials.mkdir(parents=True)
    (credentials / "proxy_token").write_text("0123456789abcdef")
    ps = Path(f"{context.podman.executable}.ps")
    ps.write_text(ps.read_text().replace("-slurm", "-tunnel"))

    lines = read(context, LogRequest(container="tunnel"))

    assert lines == [
        "tunnel: X-Auth-Id-Token: [redacted]",
        "tunnel: the token of the proxy is [redacted]",
        "tunnel: [redacted]",
        "tunnel: [redacted]",
        "tunnel: after",
    ]
    assert read(context, LogRequest(container="tunnel", tail=2)) == lines[-2:]
    assert not read(context, LogRequest(container="tunnel", pattern=re.compile("0123|eyJ|QUJD")))


def test_a_mistyped_container_gets_the_nearest_one(context: Context) -> None:
    """The error lists the containers."""
    with pytest.raises(UsageError, match="has no container 'slrum'; did you mean 'slurm'") as caught:
        read(context, LogRequest(container="slrum"))

    assert caught.value.remedy == "containers: slurm, proxy, jupyterhub"


def test_a_line_has_no_colours_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The line is on standard output, with a short name, and controls nothing, even with FORCE_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")

    make_printer(INSTANCE)(LogLine(time="", container="slurm", text="a\x1b[31mred\x1b]0;title\x07\rb\tc"))

    assert capsys.readouterr().out == "slurm      | aredb\tc\n"


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_a_terminal_shows_the_names_in_colours(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, *, coloured: bool
) -> None:
    """NO_COLOR turns them off (https://no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        make_printer(INSTANCE)(LogLine(time="", container="slurm", text="x"))
        printed = os.read(master, 100).decode()
    os.close(master)

    assert ("\x1b[" in printed) is coloured
    assert printed.endswith("| x\r\n")


@pytest.mark.parametrize("since", ["10m", "1h30m", "2026-01-31", "2026-01-31T08:00:00Z", "2026-01-31 08:00"])
def test_a_time_or_a_duration_is_accepted(since: str) -> None:
    """Everything that podman understands as the start of a log."""
    assert parse_log_request(None, since, None, None).since == since.replace(" ", "T")
