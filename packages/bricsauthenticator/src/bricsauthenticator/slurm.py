"""What Slurm says about a job, and how to say it to a person: pure.

Only Slurm's own word makes a job gone. Whatever else goes wrong on the way (SSH, sudo, munge, a controller that does
not answer) leaves it unknown.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto

JOB_ID_RE = re.compile(r"[1-9][0-9]{0,9}")
NODE_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
NO_JOB_RE = re.compile(r"^(?:\w+: error: |slurm_\w+ error: ).*Invalid job id specified\s*$", re.MULTILINE)
OVER_RE = re.compile(r"Job/step already completing or completed")
UNSURE_RE = re.compile(
    r"timed out|unable to contact|zero bytes|(?:connection|send|receive|shutdown) failure|unexpected message"
    r"|message length|not connected|connection (?:closed|refused|reset)|broken pipe",
    re.IGNORECASE,
)
MUNGE_RE = re.compile(r"\bmunge\b|protocol authentication error|invalid authentication credential", re.IGNORECASE)
SSH_FAILED_STATUS = 255  # ssh(1)
STRANGER_RE = re.compile(r"^Host key verification failed\.\s*$", re.MULTILINE)
TURNED_AWAY_RE = re.compile(r"^\S+: Permission denied \([a-z,-]+\)\.\s*$", re.MULTILINE)
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
    """Where a job is in its life."""

    PENDING = auto()
    RUNNING = auto()
    GONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is known of a job.

    Attributes:
        life: Where it is in its life.
        state: Slurm's word for it, such as `PENDING`; empty when Slurm did not say.
        reason: Slurm's word for why; empty when there is none.
        node: Name of the node that runs the job's script; empty when there is none yet.
    """

    life: Life
    state: str = ""
    reason: str = ""
    node: str = ""


UNKNOWN = Job(life=Life.UNKNOWN)


def read_answer(answer: str) -> Job:
    """Read squeue's answer `STATE REASON NODE`, or `STATE NODE` as other wrappers have it.

    No line at all means that Slurm was asked and has no such job among those it was asked for.
    """
    lines = [line for line in answer.splitlines() if line.strip()]
    if not lines:
        return Job(life=Life.GONE)
    words = lines[-1].split()
    life = life_of(words[0])
    reason, node = " ".join(words[1:-1]), words[-1] if len(words) > 1 else ""
    if life is Life.PENDING and not reason and node not in PLACEHOLDERS:
        reason, node = node, ""  # a waiting job has no node, so its only word is the reason
    return Job(
        life=life,
        state="" if life is Life.UNKNOWN else words[0],
        reason="" if reason in PLACEHOLDERS else reason,
        node=node if node not in PLACEHOLDERS and NODE_RE.fullmatch(node) else "",
    )


def read_refusal(message: str) -> Job:
    """Read the error output of a query that failed: gone if Slurm knows no such job, else unknown."""
    return Job(life=Life.GONE) if NO_JOB_RE.search(message) else UNKNOWN


def already_over(message: str) -> bool:
    """Whether scancel failed because there is nothing left to cancel."""
    return bool(NO_JOB_RE.search(message) or OVER_RE.search(message))


def read_job_id(answer: str) -> str:
    """Read the job id of `sbatch --parsable`: the last line, up to `;CLUSTER`; empty when there is none."""
    lines = answer.split("\n")
    job_id = next((line for line in reversed(lines) if line.strip()), "").partition(";")[0].strip()
    return job_id if JOB_ID_RE.fullmatch(job_id) else ""


def hub_mark(cookie_secret: bytes, connect_url: str) -> str:
    """Return the words that the keys of one hub begin with, and of no other hub.

    Args:
        cookie_secret: What a hub has for itself and keeps for good.
        connect_url: Where its servers reach it, which tells it from a hub that was made of a copy of its data.
    """
    hub_id = hashlib.sha256(b"jobs of " + cookie_secret + connect_url.encode()).hexdigest()[:8]
    return f"jupyterhub-{hub_id}-"


def new_key(mark: str) -> str:
    """Return a random key for one spawn of the hub with this mark; it goes into the job's comment."""
    return f"{mark}{secrets.token_hex(8)}"


def find_key(listing: str, key: str) -> str:
    """Read the job id from lines `ID COMMENT`: of the job whose comment ends with the key; empty when there is none."""
    return next((job_id for job_id, last in read_keys(listing).items() if last == key), "")


def read_keys(listing: str) -> dict[str, str]:
    """Read lines `ID COMMENT`: the last word of each job's comment, which is the key of a job of a hub."""
    lines = (line.split() for line in listing.splitlines())
    return {words[0]: words[-1] for words in lines if len(words) > 1 and JOB_ID_RE.fullmatch(words[0])}


def may_have_submitted(status: int | None, message: str) -> bool:
    """Whether a job may exist, or come to exist, although the submit command failed or told no job id.

    Args:
        status: The command's exit status; None when it was given up here, which does not end it at the other end.
        message: What it said.
    """
    return status == 0 or (is_silence(status, message) and not never_logged_in(status, message))


def is_passing(status: int | None, message: str) -> bool:
    """Whether a question failed because of what passes: nobody answered, or munge vouched for nobody."""
    return is_silence(status, message) or bool(MUNGE_RE.search(message))


def is_stranger(status: int | None, message: str) -> bool:
    """Whether ssh found another host than the one whose key is pinned, and told it nothing."""
    return status == SSH_FAILED_STATUS and bool(STRANGER_RE.search(message))


def never_logged_in(status: int | None, message: str) -> bool:
    """Whether ssh ended before the host could be told anything: it is a stranger, or refused the hub's key."""
    return is_stranger(status, message) or (status == SSH_FAILED_STATUS and bool(TURNED_AWAY_RE.search(message)))


def is_silence(status: int | None, message: str) -> bool:
    """Whether a command failed because nobody answered, and not because of an answer."""
    ended_by_itself = status is not None and 0 <= status < FIRST_SIGNAL_STATUS  # ssh has 255 for its own failures
    return not ended_by_itself or bool(UNSURE_RE.search(message))


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a list of all jobs says of one that waits or runs.

    Attributes:
        said: `STATE REASON NODE`.
        account: Whose it is; empty when the list does not say, as older wrappers' lists.
    """

    said: str
    account: str = ""


def read_list(answer: str) -> dict[str, str]:
    """Read squeue's lines `ID ACCOUNT STATE REASON NODE`, of which there may be many: the rest of each by its id."""
    found = (line.strip().partition(" ") for line in answer.splitlines())
    return {job_id: rest for job_id, _, rest in found}


def read_listed(rest: str) -> Listed | None:
    """Read `ACCOUNT STATE REASON NODE`, or the same without the account; None unless the job waits or runs."""
    account, _, said = rest.partition(" ")
    if _is_alive(rest):
        return Listed(said=rest)
    return Listed(said=said, account=account) if _is_alive(said) else None


def _is_alive(said: str) -> bool:
    return life_of(said.partition(" ")[0]) in (Life.PENDING, Life.RUNNING)


def life_of(state: str) -> Life:
    """Return where in its life a job with this state is."""
    if state in PENDING_STATES:
        return Life.PENDING
    if state in RUNNING_STATES:
        return Life.RUNNING
    return Life.GONE if state in TERMINAL_STATES else Life.UNKNOWN
