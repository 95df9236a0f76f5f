"""Sentences about a job for its user: pure. The table of ends has their words."""

import re

from bricsauthenticator.ends import End, Source, find_end
from bricsauthenticator.job_states import UNKNOWN, Job, Life

FAILED_RE = re.compile(r"^(?:sbatch: (?:error|fatal): )?(?:Batch job submission failed: )?")
LONGEST_DETAIL = 300
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def why_waiting(reason: str) -> str:
    """Return why a job waits, in words; empty for an unknown reason of Slurm."""
    row = find_end(Source.WAIT, reason) if reason else None
    return row.user if row else ""


def duration(seconds: float) -> str:
    """Return a duration in its largest units, as `2 h 5 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"  # noqa: PLR2004 - a rounded number
    return f"{rest} s"


def situation(job_id: str, job: Job) -> str:
    """Return one sentence about a job that has no server yet."""
    match job.life:
        case Life.PENDING:
            return f"Job {job_id} is queued{_why(job)}{ELLIPSIS}"
        case Life.RUNNING:
            return f"Job {job_id} is starting{' on node ' + job.node if job.node else ''}{ELLIPSIS}"
        case Life.PAUSED:
            return f"Job {job_id} is suspended{ELLIPSIS}"
        case Life.ENDING | Life.GONE:
            return f"Job {job_id} ended before the server was ready: {ending(job)}."
        case Life.UNKNOWN:
            return f"Slurm does not answer at the moment; job {job_id} will be checked again{ELLIPSIS}"


def _why(job: Job) -> str:
    words = why_waiting(job.reason)
    return f" ({job.reason}){': ' + words if words else ''}" if job.reason else ""


def end_message(job_id: str, job: Job) -> str:
    """Return one sentence about a job that ended while its server was in use."""
    return f"Job {job_id} ended: {ending(job)}."


def find_job_end(job: Job) -> End | None:
    """Return the row for a job that has ended; None for a state that the table lacks."""
    # A completing job has its final state only after the epilog.
    row = find_end(Source.REASON, job.reason) if job.life is Life.ENDING and job.reason else None
    return row or find_end(Source.STATE, job.state)


def find_exit(job: Job) -> End | None:
    """Return the row for the exit code of a job's script; None if Slurm did not say it."""
    return find_end(Source.EXIT, job.exit_code) if job.exit_code else None


def ending(job: Job) -> str:
    """Return why a job has ended, as a part of a sentence with Slurm's own words."""
    row, exited = find_job_end(job), find_exit(job)
    detail = ", ".join(word for word in (job.state, job.reason) if word)
    words = row.user if row else ""
    text = f"{words} ({detail})" if words and detail else words or detail
    code = _exit(job.exit_code)
    if exited is None or not code:
        return text
    return f"{text}; {exited.user} ({code})" if exited.user else f"{text}; {code}"


def _exit(exit_code: str) -> str:
    status, _, signal = exit_code.partition(":")
    if status != "0":
        return f"exit status {status}"
    return "" if signal == "0" else f"signal {signal}"


def hub_message(row: End, job_id: str = "", job: Job = UNKNOWN, waited_s: float = 0, why: str = "") -> str:
    """Return the sentence of a decision of the hub.

    Args:
        row: The row of the decision.
        job_id: The server's job.
        job: The job as Slurm last described it.
        waited_s: How long the hub has waited, in seconds.
        why: A reason; the job's own reason to wait if it is empty.
    """
    where = f" on node {job.node}" if job.node else ""
    return row.user.format(job_id=job_id, waited=duration(waited_s), where=where, why=why or _why(job))


def with_log(sentence: str, path: str, last_line: str) -> str:
    """Add the job's log to a sentence, as far as it is known."""
    if not path:
        return sentence
    line = f"; it ends with: {last_line}" if last_line else ""
    return f"{sentence} The job's log is {path}{line}"


def refused_submission(complaint: str) -> str:
    """Return one sentence about a refused submission, with its cause and the program's own words once."""
    row = find_end(Source.SUBMIT, complaint)
    detail = _detail(complaint)
    return f"The job could not be submitted to Slurm: {row.user if row else ''} ({detail})."


def _detail(complaint: str) -> str:
    """Return the words of a complaint; sbatch repeats its own error in general words."""
    lines = list(dict.fromkeys(line.strip() for line in complaint.splitlines() if line.strip()))
    is_repeated = len(lines) > 1 and "Batch job submission failed" in lines[-1] and lines[-2].startswith("sbatch: ")
    words = [FAILED_RE.sub("", line) for line in (lines[:-1] if is_repeated else lines)]
    return " ".join(" ".join(words).split())[-LONGEST_DETAIL:].rstrip(".")
