"""Split one spawn into stages.

Their limits come from the logs of the hub, Slurm and the server, and from the steps of the probe.

All clocks are this machine's. Times of log lines are podman's, which are precise to milliseconds and the same for every
container. Slurm's own SubmitTime and StartTime of a job are in whole seconds.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from hubpod.components import jupyterhub, slurm
from hubpod.components.assembly import podman_name
from hubpod.instances import Instance
from hubpod.podman.cli import Podman
from hubpod.probe.spawn import ProbeReport
from hubpod.probe.timeline import Span


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of every spawn.

    Attributes:
        name: Name in the drawing.
        who: The program whose time it is.
        start: Name of the event at its start.
        end: Name of the event at its end.
    """

    name: str
    who: str
    start: str
    end: str


STAGES = (
    Stage(name="log in", who="browser", start="began", end="login"),
    Stage(name="form, and the hub's preparation", who="hub", start="login", end="submitting"),
    Stage(name="SSH, sudo, sbatch", who="hub", start="submitting", end="submitted"),
    Stage(name="queue", who="Slurm", start="queued", end="started"),
    Stage(name="start of the job's step", who="Slurm", start="started", end="launched"),
    Stage(name="Python, until it reports its port", who="notebook", start="launched", end="reported"),
    Stage(name="JupyterLab's imports", who="notebook", start="reported", end="speaks"),
    Stage(name="JupyterLab's extensions", who="notebook", start="speaks", end="listens"),
    Stage(name="route, word to the browser", who="hub", start="listens", end="ready"),
    Stage(name="first page through the proxy", who="browser", start="ready", end="open"),
    Stage(name="kernel, first answer", who="notebook", start="open", end="kernel"),
)
"""The events are the steps of a probe and the log lines below."""

HUB_LINES = {
    "submitting": jupyterhub.SUBMITTING_LINE,
    "submitted": jupyterhub.SUBMITTED_LINE,
    "reported": jupyterhub.PORT_REPORTED_LINE,
    "listens": jupyterhub.LISTENS_LINE,
}
SLURM_LINES = {
    "queued": slurm.QUEUED_LINE,
    "started": slurm.STARTED_LINE,
    "launched": slurm.LAUNCHED_LINE,
}

_SERVER_LINE = re.compile(r"^\[\w (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ", re.MULTILINE)
_OUTPUT = re.compile(r".* StdOut=(/\S+)")  # the last match, because a job's name may contain another one


def collect_stages(podman: Podman, instance: Instance, report: ProbeReport) -> tuple[Span, ...]:
    """Return the stages of a spawn that a probe has just made.

    Stages with unknown limits are merged.
    """
    names = {"user": re.escape(report.user), "job": re.escape(report.job_id)}
    events = {step.name: report.began + step.at_s for step in report.timeline} | {"began": report.began}
    for container, lines in ((jupyterhub.NAME, HUB_LINES), (slurm.NAME, SLURM_LINES)):
        # One second earlier, because podman takes whole seconds.
        log = podman.log(podman_name(instance, container), since=report.began - 1, timestamps=True)
        events |= find_events(log, {name: pattern.format(**names) for name, pattern in lines.items()}, report.began)
    events |= find_first_line(_server_log(podman, podman_name(instance, slurm.NAME), report.job_id))
    return tuple(stages(events))


def find_events(log: str, patterns: Mapping[str, str], since: float) -> dict[str, float]:
    """Return the time at which each pattern first matched in a log, in seconds since the epoch.

    The lines start with podman's timestamps.
    """
    found: dict[str, float] = {}
    for line in log.splitlines():
        at, _, text = line.partition(" ")
        for name in patterns.keys() - found.keys():
            if re.search(patterns[name], text) and (time := datetime.fromisoformat(at).timestamp()) >= since:
                found[name] = time
    return found


def find_first_line(log: str) -> dict[str, float]:
    """Return when a server wrote its first log line, as the event `speaks`, if it wrote one."""
    match = _SERVER_LINE.search(log)
    with suppress(ValueError):  # users can write anything to this file
        return {"speaks": datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()} if match else {}
    return {}


def _server_log(podman: Podman, container: str, job: str) -> str:
    """Return the log of a job's server, or nothing without an output file or with external Slurm."""
    output = _OUTPUT.match(podman.execute(container, ["scontrol", "show", "job", job, "--oneliner"]).stdout)
    owner = podman.execute(container, ["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%U"])
    uid = owner.stdout.strip()
    # Read as the job's owner: users control the path, and must not reach files of others.
    return podman.execute(container, ["cat", output[1]], user=uid).stdout if output and uid.isdecimal() else ""


def stages(events: Mapping[str, float]) -> Iterator[Span]:
    """Yield the stages as spans, in seconds since `began`.

    A stage without an end is merged into the next one.
    """
    began = last = events["began"]
    unknown: list[str] = []
    for stage in STAGES:
        if stage.end not in events:
            unknown.append(stage.name)
            continue
        start = last if unknown else events.get(stage.start, last)
        last = max(start, events[stage.end])
        name = " + ".join((*unknown, stage.name))
        yield Span(name=name, who=stage.who, start_s=start - began, end_s=last - began)
        unknown.clear()
