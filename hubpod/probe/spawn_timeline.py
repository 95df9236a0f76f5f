"""Where the time of one spawn goes: what the person's client, the hub, Slurm and the server each say of it.

All clocks are this machine's. podman's times of log lines are used, which come within milliseconds of what is logged
and are the same for every container; of a job, Slurm's own SubmitTime and StartTime have whole seconds only.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from hubpod.components import jupyterhub, slurm
from hubpod.environments import Instance
from hubpod.podman.cli import Podman
from hubpod.probe.spawn import ProbeReport
from hubpod.probe.timeline import Span


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of every spawn: it lasts from one moment to another."""

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
"""The moments are the steps of a probe and those below."""

HUB_SAYS = {
    "submitting": jupyterhub.SUBMITTING_LINE,
    "submitted": jupyterhub.SUBMITTED_LINE,
    "reported": jupyterhub.PORT_REPORTED_LINE,
    "listens": jupyterhub.LISTENS_LINE,
}
SLURM_SAYS = {
    "queued": slurm.QUEUED_LINE,
    "started": slurm.STARTED_LINE,
    "launched": slurm.LAUNCHED_LINE,
}

_SERVER_SPEAKS = re.compile(r"^\[\w (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ", re.MULTILINE)
_OUTPUT = re.compile(r".* StdOut=(/\S+)")  # the last one: a job's name may look like one


def collect_stages(podman: Podman, instance: Instance, report: ProbeReport) -> tuple[Span, ...]:
    """The stages of a spawn that a probe has just made; those of which too little is known are shown as one."""
    names = {"user": re.escape(report.user), "job": re.escape(report.job_id)}
    moments = {step.name: report.began + step.at_s for step in report.timeline} | {"began": report.began}
    for container, sayings in ((jupyterhub.NAME, HUB_SAYS), (slurm.NAME, SLURM_SAYS)):
        # A whole second earlier, because podman takes whole seconds.
        log = podman.log(f"{instance.resource}-{container}", since=report.began - 1, timestamps=True)
        moments |= moments_in(log, {name: saying.format(**names) for name, saying in sayings.items()}, report.began)
    moments |= first_word(_server_log(podman, f"{instance.resource}-{slurm.NAME}", report.job_id))
    return tuple(stages(moments))


def moments_in(log: str, sayings: Mapping[str, str], since: float) -> dict[str, float]:
    """When each saying came first in a log whose lines begin with podman's timestamps; seconds since the epoch."""
    found: dict[str, float] = {}
    for line in log.splitlines():
        at, _, words = line.partition(" ")
        for name in sayings.keys() - found.keys():
            if re.search(sayings[name], words) and (moment := datetime.fromisoformat(at).timestamp()) >= since:
                found[name] = moment
    return found


def first_word(log: str) -> dict[str, float]:
    """When a server wrote its first line, in the time zone of containers; nothing when there is none."""
    match = _SERVER_SPEAKS.search(log)
    with suppress(ValueError):  # people may write to the file what they like
        return {"speaks": datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()} if match else {}
    return {}


def _server_log(podman: Podman, container: str, job: str) -> str:
    """What the server of a job has written; empty where Slurm is not ours, or the job had no file of its own."""
    output = _OUTPUT.match(podman.execute(container, ["scontrol", "show", "job", job, "--oneliner"]).stdout)
    owner = podman.execute(container, ["squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%U"])
    uid = owner.stdout.strip()
    # As its owner, who may read what is theirs and nothing else, whatever they have made of the job's own words.
    return podman.execute(container, ["cat", output[1]], user=uid).stdout if output and uid.isdecimal() else ""


def stages(moments: Mapping[str, float]) -> Iterator[Span]:
    """The stages as spans, in seconds since `began`; one whose end is not known is part of the next one."""
    began = last = moments["began"]
    unknown: list[str] = []
    for stage in STAGES:
        if stage.end not in moments:
            unknown.append(stage.name)
            continue
        start = last if unknown else moments.get(stage.start, last)
        last = max(start, moments[stage.end])
        name = " + ".join((*unknown, stage.name))
        yield Span(name=name, who=stage.who, start_s=start - began, end_s=last - began)
        unknown.clear()
