"""Slurm as its operator sees it: the truth about jobs, asked with Slurm's own commands in the slurm container.

The commands are scontrol, scancel and sdiag of Slurm 24.11: https://slurm.schedmd.com/archive/slurm-24.11-latest/.
`scontrol show job --oneliner` is read because it has every job that squeue has and those that ended lately, the whole
value of every field, and paths with their `%j` filled in.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubpod.errors import HubpodError
from hubpod.system.process import Result
from hubpod_harness.daemons import Daemon, Execute, ask, daemon, wait

WAIT_S = 30.0
NODE = "node1"

ENDED_STATES = frozenset(
    {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
    | {"PREEMPTED", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"}
)
"""The states that a job does not leave: https://slurm.schedmd.com/job_state_codes.html."""

_FIELD_RE = re.compile(r"(?:^|\s)([A-Z][A-Za-z:/]*)=")
_TIME_RE = re.compile(r"(?:(\d+)-)?(\d+):(\d+):(\d+)")
_GPU_RE = re.compile(r"gres[/:]gpu(?::[^:=,]+)?[:=](\d+)")
_RPC_RE = re.compile(r"^\s+(\S+)\s+\(\s*\d+\)\s+count:(\d+)", re.MULTILINE)
_WORDS = {"id": "JobId", "state": "JobState", "reason": "Reason", "name": "JobName", "partition": "Partition"} | {
    "reservation": "Reservation",
    "node": "NodeList",
    "work_dir": "WorkDir",
    "output": "StdOut",
}
_NOTHING = frozenset({"(null)", "None", "N/A"})


class SlurmError(HubpodError):
    """What was asked of Slurm did not happen."""


class SlurmUnavailableError(SlurmError):
    """Slurm did not answer, or refused."""


class NoSuchJobError(SlurmError):
    """Slurm does not know the job: there never was one, or it ended more than 300 seconds ago."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as Slurm has it; what Slurm leaves out is empty.

    Attributes:
        id: Its number.
        state: Slurm's word, such as `PENDING`.
        reason: Slurm's word for why it is in that state, blanks as underscores.
        user: The account that it runs as, `user01.project1`.
        name: Its name.
        partition: The partition that it was sent to.
        reservation: The reservation that it was sent to.
        node: The node that runs it, or ran it.
        work_dir: The folder that its script starts in.
        time_limit_s: Seconds that it may run; None when there is no limit.
        cpus: Number of CPUs, at least.
        gpus: Number of GPUs over all its nodes.
        output: Path of the file with what it writes to standard output.
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
        """Whether it will never run again."""
        return self.state in ENDED_STATES

    def __str__(self) -> str:
        return f"job {self.id} is {self.state}" + (f" ({self.reason})" if self.reason else "")


def read_jobs(answer: str) -> tuple[Job, ...]:
    """Read the answer of `scontrol show job --oneliner`; without jobs it is a sentence instead."""
    return tuple(_job(_fields(line)) for line in answer.splitlines() if line.startswith("JobId="))


def read_rpc_counts(answer: str) -> Mapping[str, int]:
    """Read from sdiag's answer how often slurmctld got each type of message, since it started or last midnight."""
    _, _, table = answer.partition("Remote Procedure Call statistics by message type")
    table, _, _ = table.partition("Remote Procedure Call statistics by user")
    return {name: int(count) for name, count in _RPC_RE.findall(table)}


def _fields(line: str) -> Mapping[str, str]:
    """Split `Name=value Name=value`, where a value may have blanks."""
    _, *parts = (part.strip() for part in _FIELD_RE.split(line))
    return {name: "" if value in _NOTHING else value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def _job(fields: Mapping[str, str]) -> Job:
    return Job(
        **{attribute: fields.get(name, "") for attribute, name in _WORDS.items()},
        user=fields.get("UserId", "").partition("(")[0],
        time_limit_s=_seconds(fields.get("TimeLimit", "")),
        cpus=_count(fields, "NumCPUs"),
        gpus=_gpus(fields),
    )


def _seconds(limit: str) -> int | None:
    """Read a time limit `[DAYS-]HH:MM:SS`; None for `UNLIMITED` and `Partition_Limit`."""
    if not (match := _TIME_RE.fullmatch(limit)):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _gpus(fields: Mapping[str, str]) -> int:
    """GPUs as they were asked for, because Slurm counts those that it gave only when its accounting tracks them."""
    times = {"TresPerJob": 1, "TresPerNode": _count(fields, "NumNodes"), "TresPerTask": _count(fields, "NumTasks")}
    return sum(int(gpus) * factor for name, factor in times.items() for gpus in _GPU_RE.findall(fields.get(name, "")))


def _count(fields: Mapping[str, str], name: str) -> int:
    """Read `4`, or `1-4` as the least; 1 when there is no such field, or none in it as while a job ends."""
    return int(fields.get(name, "").partition("-")[0] or 1)


class SlurmProbe:
    """Asks and operates the Slurm of a stack.

    Args:
        execute: Runs a command as root in the slurm container; its result is not checked.
        log: The slurm container's log so far.
    """

    def __init__(self, execute: Execute, log: Callable[[], str]) -> None:
        self._execute = execute
        self._log = log

    def jobs(self, account: str | None = None) -> tuple[Job, ...]:
        """The jobs that pend or run now, of one account `user01.project1` or of all.

        Raises:
            SlurmUnavailableError: Slurm does not answer.
        """
        found = read_jobs(self._told("scontrol", "show", "job", "--oneliner").stdout)
        return tuple(job for job in found if not job.ended and account in {None, job.user})

    def job(self, job_id: str) -> Job:
        """The job of that number, also when it ended within the last 300 seconds.

        Raises:
            NoSuchJobError: Slurm knows no job of that number.
            SlurmUnavailableError: Slurm does not answer.
        """
        if not (job_id.isascii() and job_id.isdecimal()):
            raise NoSuchJobError(f"{job_id!r} is no job's number", remedy="was the server's job submitted?")
        result = ask(self._execute, "scontrol", "show", "job", job_id, "--oneliner")
        if result.ok and (found := read_jobs(result.stdout)):
            return found[0]
        if result.ok or "Invalid job id specified" in result.stderr:
            remedy = "look for it within 300 s of its end, after which Slurm forgets it"
            raise NoSuchJobError(f"Slurm knows no job {job_id}", remedy=remedy)
        raise _failed(result)

    def cancel(self, job_id: str) -> None:
        """Cancel a job as the operator; one that has ended stays as it is.

        Raises:
            NoSuchJobError: Slurm knows no job of that number; scancel itself would not tell.
            SlurmUnavailableError: Slurm does not answer.
        """
        if not self.job(job_id).ended:
            self._told("scancel", job_id)

    def wait_for(self, job_id: str, *states: str, deadline_s: float = WAIT_S) -> Job:
        """Wait until the job is in one of these states; a Slurm that does not answer meanwhile is asked again.

        Raises:
            NoSuchJobError: Slurm knows no job of that number.
            SlurmError: The job has ended in another state.
            HubTimeoutError: It was in none of them in time; says what it was.
        """
        wanted = " or ".join(states)

        def look() -> tuple[Job, str]:
            job = self.job(job_id)
            if job.ended and job.state not in states:
                raise SlurmError(f"{job} and will not become {wanted}")
            return job, "" if job.state in states else str(job)

        return wait(look, f"job {job_id} did not become {wanted}", deadline_s, meanwhile=SlurmUnavailableError)

    def wait_until_no_jobs(self, account: str, deadline_s: float = WAIT_S) -> None:
        """Wait until no job of the account `user01.project1` pends or runs.

        Raises:
            HubTimeoutError: There is one still; says which.
        """

        def look() -> tuple[None, str]:
            return None, ", ".join(map(str, self.jobs(account)))

        wait(look, f"the jobs of {account} did not all end", deadline_s, meanwhile=SlurmUnavailableError)

    def drain(self, node: str = NODE, reason: str = "test") -> None:
        """Let no further job start on the node; those that run go on."""
        self._told("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}")

    def resume(self, node: str = NODE) -> None:
        """Let jobs start on the node again; nothing when they may already."""
        result = ask(self._execute, "scontrol", "update", f"NodeName={node}", "State=RESUME")
        if not result.ok and "Invalid node state specified" not in result.stderr:
            raise _failed(result)

    def daemon(self, name: str) -> Daemon:
        """The daemon `slurmctld`, `slurmd`, `munge` or `sshd`."""
        return daemon(name, self._execute)

    def rpc_counts(self) -> Mapping[str, int]:
        """How often slurmctld got each type of message, such as `REQUEST_JOB_INFO_SINGLE`, since it started."""
        return read_rpc_counts(self._told("sdiag").stdout)

    def ssh_logins(self) -> int:
        """How many SSH logins sshd has accepted since the container started."""
        return self._log().count("sshd: Accepted ")

    def _told(self, *argv: str) -> Result:
        result = ask(self._execute, *argv)
        if not result.ok:
            raise _failed(result)
        return result


def _failed(result: Result) -> SlurmUnavailableError:
    said = " ".join(result.last_lines) or f"status {result.returncode}"
    return SlurmUnavailableError(f"{shlex.join(result.argv)} failed: {said}", remedy="are slurmctld and munge up?")
