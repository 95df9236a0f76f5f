"""Jobs and message counts, parsed from the output of Slurm's commands. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

ENDED_STATES = frozenset(
    {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
    | {"PREEMPTED", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"}
)
"""Final states of a job: https://slurm.schedmd.com/job_state_codes.html."""

_FIELD_RE = re.compile(r"(?:^|\s)([A-Z][A-Za-z:/]*)=")
_TIME_RE = re.compile(r"(?:(\d+)-)?(\d+):(\d+):(\d+)")
_GPU_RE = re.compile(r"gres[/:]gpu(?::[^:=,]+)?[:=](\d+)")
_RPC_RE = re.compile(r"^\s+(\S+)\s+\(\s*\d+\)\s+count:(\d+)", re.MULTILINE)
_TEXT_FIELDS = {"id": "JobId", "state": "JobState", "reason": "Reason", "name": "JobName", "partition": "Partition"} | {
    "reservation": "Reservation",
    "node": "NodeList",
    "work_dir": "WorkDir",
    "output": "StdOut",
}
_EMPTY_VALUES = frozenset({"(null)", "None", "N/A"})


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job, as Slurm reports it. Missing fields are empty.

    Attributes:
        id: Its job id.
        state: Its state, such as `PENDING`.
        reason: Slurm's reason for the state, with underscores for spaces.
        user: The account that runs it, `user01.project1`.
        name: Its name.
        partition: The requested partition.
        reservation: The requested reservation.
        node: The node that runs it, or ran it.
        work_dir: The directory in which its script starts.
        time_limit_s: Its time limit in seconds; None when unlimited.
        cpus: Minimum number of CPUs.
        gpus: Number of GPUs over all its nodes.
        output: Path of the file with its standard output.
    """

    id: str
    state: str
    reason: str = ""
    user: str = ""
    name: str = ""
    partition: str = ""
    reservation: str = ""
    node: str = ""
    work_dir: str = ""
    time_limit_s: int | None = None
    cpus: int = 1
    gpus: int = 0
    output: str = ""

    @property
    def ended(self) -> bool:
        """Return whether it is in a final state."""
        return self.state in ENDED_STATES

    def __str__(self) -> str:
        return f"job {self.id} is {self.state}" + (f" ({self.reason})" if self.reason else "")


def parse_jobs(answer: str) -> tuple[Job, ...]:
    """Parse the output of `scontrol show job --oneliner`.

    Without jobs, the output is a sentence.
    """
    return tuple(_job(_fields(line)) for line in answer.splitlines() if line.startswith("JobId="))


def parse_rpc_counts(answer: str) -> Mapping[str, int]:
    """Parse the output of sdiag: number of messages received by slurmctld, by type.

    Slurm counts since the start of slurmctld or the last midnight.
    """
    _, _, table = answer.partition("Remote Procedure Call statistics by message type")
    table, _, _ = table.partition("Remote Procedure Call statistics by user")
    return {name: int(count) for name, count in _RPC_RE.findall(table)}


def _fields(line: str) -> Mapping[str, str]:
    """Split `Name=value Name=value`, where a value may contain spaces."""
    _, *parts = (part.strip() for part in _FIELD_RE.split(line))
    return {name: "" if value in _EMPTY_VALUES else value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def _job(fields: Mapping[str, str]) -> Job:
    return Job(
        **{attribute: fields.get(name, "") for attribute, name in _TEXT_FIELDS.items()},
        user=fields.get("UserId", "").partition("(")[0],
        time_limit_s=_seconds(fields.get("TimeLimit", "")),
        cpus=_count(fields, "NumCPUs"),
        gpus=_gpus(fields),
    )


def _seconds(limit: str) -> int | None:
    """Parse a time limit `[DAYS-]HH:MM:SS`, or return None for `UNLIMITED` and `Partition_Limit`."""
    if not (match := _TIME_RE.fullmatch(limit)):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _gpus(fields: Mapping[str, str]) -> int:
    """Return the number of requested GPUs.

    Slurm reports allocated GPUs only if its accounting tracks them.
    """
    times = {"TresPerJob": 1, "TresPerNode": _count(fields, "NumNodes"), "TresPerTask": _count(fields, "NumTasks")}
    return sum(int(gpus) * factor for name, factor in times.items() for gpus in _GPU_RE.findall(fields.get(name, "")))


def _count(fields: Mapping[str, str], name: str) -> int:
    """Parse a count: `4`, or `1-4` as 1. A missing or empty field, as of an ending job, is 1."""
    return int(fields.get(name, "").partition("-")[0] or 1)
