"""The output of Slurm's commands: pure parsers.

Only Slurm's own answer makes a job gone. Any other failure (SSH, sudo, munge, a controller that does not answer) leaves
the job unknown.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto

JOB_ID_RE = re.compile(r"[1-9][0-9]{0,9}")
NODE_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
NO_JOB_RE = re.compile(r"^(?:\w+: error: |slurm_\w+ error: ).*Invalid job id specified\s*$", re.MULTILINE)
ENDED_RE = re.compile(r"Job/step already completing or completed")
NO_ANSWER_RE = re.compile(
    r"timed out|unable to contact|zero bytes|(?:connection|send|receive|shutdown) failure|unexpected message"
    r"|message length|not connected|connection (?:closed|refused|reset)|broken pipe",
    re.IGNORECASE,
)
MUNGE_RE = re.compile(r"\bmunge\b|protocol authentication error|invalid authentication credential", re.IGNORECASE)
SSH_FAILED_STATUS = 255  # ssh(1)
WRONG_HOST_RE = re.compile(r"^Host key verification failed\.\s*$", re.MULTILINE)
KEY_REFUSED_RE = re.compile(r"^\S+: Permission denied \([a-z,-]+\)\.\s*$", re.MULTILINE)
FIRST_SIGNAL_STATUS = 128
PLACEHOLDERS = frozenset({"", "n/a", "N/A", "(null)", "None", "(None)", "none"})

PENDING_STATES = frozenset(
    {"PENDING", "CONFIGURING", "SUSPENDED", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
RUNNING_STATES = frozenset({"RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED"})
TERMINAL_STATES = frozenset(
    {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
    | {"BOOT_FAIL", "DEADLINE", "PREEMPTED", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"}
)


class Life(Enum):
    """The phase of a job's life."""

    PENDING = auto()
    RUNNING = auto()
    GONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as Slurm describes it.

    Attributes:
        life: The phase of its life.
        state: Slurm's name of the state, such as `PENDING`; empty when Slurm did not say.
        reason: Slurm's reason for the state; may be empty.
        node: Name of the node that runs the job's script; empty while the job waits.
    """

    life: Life
    state: str = ""
    reason: str = ""
    node: str = ""


UNKNOWN = Job(life=Life.UNKNOWN)


def read_answer(answer: str) -> Job:
    """Parse squeue's line `STATE REASON NODE`, or `STATE NODE` of other wrappers.

    An empty output means that Slurm has no such job.
    """
    lines = [line for line in answer.splitlines() if line.strip()]
    if not lines:
        return Job(life=Life.GONE)
    words = lines[-1].split()
    life = life_of(words[0])
    reason, node = " ".join(words[1:-1]), words[-1] if len(words) > 1 else ""
    if life is Life.PENDING and not reason and node not in PLACEHOLDERS:
        reason, node = node, ""  # a waiting job has no node, so the one word is its reason
    return Job(
        life=life,
        state="" if life is Life.UNKNOWN else words[0],
        reason="" if reason in PLACEHOLDERS else reason,
        node=node if node not in PLACEHOLDERS and NODE_RE.fullmatch(node) else "",
    )


def read_refusal(message: str) -> Job:
    """Parse the error output of a failed query: gone if Slurm knows no such job, else unknown."""
    return Job(life=Life.GONE) if NO_JOB_RE.search(message) else UNKNOWN


def already_over(message: str) -> bool:
    """Whether scancel failed because the job is over."""
    return bool(NO_JOB_RE.search(message) or ENDED_RE.search(message))


def read_job_id(answer: str) -> str:
    """Parse the job id in the output of `sbatch --parsable`.

    The id is the last line, up to `;CLUSTER`. The result is empty if that is not an id.
    """
    lines = answer.split("\n")
    job_id = next((line for line in reversed(lines) if line.strip()), "").partition(";")[0].strip()
    return job_id if JOB_ID_RE.fullmatch(job_id) else ""


def hub_mark(cookie_secret: bytes, connect_url: str) -> str:
    """Return the prefix of a hub's keys, which no other hub has.

    Args:
        cookie_secret: The hub's secret, which stays the same for good.
        connect_url: URL at which servers reach the hub; a hub made from a copy of its data has another one.
    """
    hub_id = hashlib.sha256(b"jobs of " + cookie_secret + connect_url.encode()).hexdigest()[:8]
    return f"jupyterhub-{hub_id}-"


def new_key(mark: str) -> str:
    """Return a random key for one spawn of the hub with this mark, for the job's comment."""
    return f"{mark}{secrets.token_hex(8)}"


def find_key(listing: str, key: str) -> str:
    """Find a job by its key in lines `ID COMMENT`.

    Returns the id of the job whose comment ends with the key, or an empty string.
    """
    return next((job_id for job_id, last in read_keys(listing).items() if last == key), "")


def read_keys(listing: str) -> dict[str, str]:
    """Parse lines `ID COMMENT` into the last word of each comment by job id.

    In the comment of a hub's job, the last word is the key.
    """
    lines = (line.split() for line in listing.splitlines())
    return {words[0]: words[-1] for words in lines if len(words) > 1 and JOB_ID_RE.fullmatch(words[0])}


def may_have_submitted(status: int | None, message: str) -> bool:
    """Whether the job may exist although the submit command failed.

    The command may also have printed no job id.

    Args:
        status: The command's exit status; None after a timeout, which does not end the command on the Slurm host.
        message: The command's error output.
    """
    return status == 0 or (has_no_answer(status, message) and not never_logged_in(status, message))


def is_transient(status: int | None, message: str) -> bool:
    """Whether a query failed for a transient reason: no answer, or no munge."""
    return has_no_answer(status, message) or bool(MUNGE_RE.search(message))


def is_wrong_host(status: int | None, message: str) -> bool:
    """Whether ssh found a host without the pinned host key, and sent it nothing."""
    return status == SSH_FAILED_STATUS and bool(WRONG_HOST_RE.search(message))


def never_logged_in(status: int | None, message: str) -> bool:
    """Whether ssh failed before it sent anything.

    Either the host key was wrong, or the host refused the hub's key.
    """
    return is_wrong_host(status, message) or (status == SSH_FAILED_STATUS and bool(KEY_REFUSED_RE.search(message)))


def has_no_answer(status: int | None, message: str) -> bool:
    """Whether a command failed without an answer, as opposed to a refusal."""
    ended_by_itself = status is not None and 0 <= status < FIRST_SIGNAL_STATUS  # ssh has 255 for its own failures
    return not ended_by_itself or bool(NO_ANSWER_RE.search(message))


@dataclass(frozen=True, kw_only=True)
class ListEntry:
    """One waiting or running job in a list of all jobs.

    Attributes:
        status: `STATE REASON NODE`.
        account: The job's account; empty in the lists of older wrappers.
    """

    status: str
    account: str = ""


def read_list(answer: str) -> dict[str, str]:
    """Parse squeue's lines `ID ACCOUNT STATE REASON NODE`.

    Returns the rest of each line by job id, unparsed for speed.
    """
    lines = (line.strip().partition(" ") for line in answer.splitlines())
    return {job_id: rest for job_id, _, rest in lines}


def read_list_entry(rest: str) -> ListEntry | None:
    """Parse `ACCOUNT STATE REASON NODE`, or the same without the account.

    The result is None unless the job waits or runs.
    """
    account, _, status = rest.partition(" ")
    if _is_alive(rest):
        return ListEntry(status=rest)
    return ListEntry(status=status, account=account) if _is_alive(status) else None


def _is_alive(status: str) -> bool:
    return life_of(status.partition(" ")[0]) in (Life.PENDING, Life.RUNNING)


def life_of(state: str) -> Life:
    """Return the phase of life of a job in this state."""
    if state in PENDING_STATES:
        return Life.PENDING
    if state in RUNNING_STATES:
        return Life.RUNNING
    return Life.GONE if state in TERMINAL_STATES else Life.UNKNOWN
