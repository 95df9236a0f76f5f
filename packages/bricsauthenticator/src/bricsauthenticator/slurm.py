"""The output of Slurm's commands: pure parsers.

Only Slurm's own answer makes a job gone. Any other failure (SSH, sudo, munge, a controller that does not answer) leaves
the job unknown.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import partial

from bricsauthenticator.job_states import NO_JOB, UNKNOWN, Job, Life, life_of

JOB_ID_RE = re.compile(r"[1-9][0-9]{0,9}")
SUBMITTED_RE = re.compile(rf"({JOB_ID_RE.pattern})(?:;\S+)?")
EXIT_CODE_RE = re.compile(r"[0-9]+:[0-9]+")
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
DELIMITER = " | "


def read_answer(answer: str, job_id: str = "") -> Job:
    """Parse what squeue printed about one job, by the form of its lines and not by their position.

    Login scripts, banners and a site's own squeue may print other lines before and after. Our wrapper prints
    `STATE | REASON | RESTARTS | EXIT | ID | NODE`, others `STATE REASON NODE` or `STATE NODE`. An empty output means
    that Slurm has no such job, and several answers that differ mean nothing.
    """
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    if not lines or any(NO_JOB_RE.search(line) for line in lines):
        return NO_JOB
    delimited = {job for job in map(partial(_read_delimited, job_id=job_id), lines) if job is not None}
    found = delimited or {job for job in map(_read_words, lines) if job is not None}
    return found.pop() if len(found) == 1 else UNKNOWN


def _read_delimited(line: str, job_id: str) -> Job | None:
    fields = [field.strip() for field in line.split(DELIMITER.strip())]
    if len(fields) != len(_FIELDS):
        return None
    values = dict(zip(_FIELDS, fields, strict=True))
    life = life_of(values["state"])
    if life is Life.UNKNOWN or values["id"] != job_id:
        return None
    return Job(
        life=life,
        state=values["state"],
        reason=_known(values["reason"]),
        node=_node(values["node"]),
        restarts=int(values["restarts"]) if values["restarts"].isdecimal() else None,
        exit_code=values["exit_code"] if EXIT_CODE_RE.fullmatch(values["exit_code"]) else "",
    )


_FIELDS = ("state", "reason", "restarts", "exit_code", "id", "node")


def _read_words(line: str) -> Job | None:
    words = line.split()
    life = life_of(words[0])
    if life is Life.UNKNOWN or DELIMITER in line:
        return None
    reason, node = " ".join(words[1:-1]), words[-1] if len(words) > 1 else ""
    if life is Life.PENDING and not reason and node not in PLACEHOLDERS:
        reason, node = node, ""  # a waiting job has no node, so the one word is its reason
    return Job(life=life, state=words[0], reason=_known(reason), node=_node(node))


def _known(word: str) -> str:
    return "" if word in PLACEHOLDERS else word


def _node(word: str) -> str:
    return word if word not in PLACEHOLDERS and NODE_RE.fullmatch(word) else ""


def read_refusal(message: str) -> Job:
    """Parse the error output of a failed query: gone if Slurm knows no such job, else unknown."""
    return NO_JOB if NO_JOB_RE.search(message) else UNKNOWN


def already_over(message: str) -> bool:
    """Whether scancel failed because the job is over."""
    return bool(NO_JOB_RE.search(message) or ENDED_RE.search(message))


def read_job_id(answer: str) -> str:
    """Parse the job id in the output of `sbatch --parsable`: the one line that is an id, or `ID;CLUSTER`.

    The result is empty without such a line, and when several lines differ: the job is then found by its key.
    """
    ids = {match[1] for match in map(SUBMITTED_RE.fullmatch, map(str.strip, answer.split("\n"))) if match}
    return ids.pop() if len(ids) == 1 else ""


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
        status: A line as of a query about the job alone.
        account: The job's account; empty in the lists of older wrappers.
    """

    status: str
    account: str = ""


def read_list(answer: str) -> dict[str, str]:
    """Parse squeue's lines `ID | ACCOUNT | STATE | REASON | RESTARTS | NODE`, or `ID ACCOUNT STATE REASON NODE`.

    Returns the rest of each line by job id, unparsed for speed. Lines that do not begin with a job id are left out.
    """
    lines = (line.strip().partition(" ") for line in answer.splitlines())
    return {job_id: rest for job_id, _, rest in lines if job_id.isdecimal()}


def read_list_entry(rest: str, job_id: str = "") -> ListEntry | None:
    """Parse the rest of a job's line in the list; older wrappers print it without the account.

    The result is None unless the job waits or runs.
    """
    marker, _, delimited = rest.partition(" ")
    if marker == DELIMITER.strip():
        fields = delimited.split(DELIMITER)
        if len(fields) != len(_LIST_FIELDS) or not _is_alive(fields[1]):
            return None
        account, state, reason, restarts, node = fields
        status = DELIMITER.join((state, reason, restarts, "", job_id, node))
        return ListEntry(status=status, account=account)
    account, _, status = rest.partition(" ")
    if _is_alive(rest):
        return ListEntry(status=rest)
    return ListEntry(status=status, account=account) if _is_alive(status) else None


_LIST_FIELDS = ("account", "state", "reason", "restarts", "node")


def _is_alive(status: str) -> bool:
    return life_of(status.partition(" ")[0]) in (Life.PENDING, Life.RUNNING, Life.PAUSED)
