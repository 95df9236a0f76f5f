"""What a job's state means for its server: pure, and the only place that interprets Slurm's names of states.

A state is a base state, a flag, or several of them as in `RUNNING+COMPLETING` or `FAILED,REQUEUED`. The names are those
of `squeue --format=%T` in Slurm 24.11 to 25.11, see the job state codes in squeue(1).
"""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto


class Life(Enum):
    """The phase of a job's life."""

    PENDING = auto()
    RUNNING = auto()
    PAUSED = auto()
    ENDING = auto()
    GONE = auto()
    UNKNOWN = auto()


class Phase(Enum):
    """The phase of a server's life.

    A server is STARTING until its job has reported a port, READY then, and STOPPING once its job is being cancelled.
    """

    STARTING = auto()
    READY = auto()
    STOPPING = auto()


class Fate(Enum):
    """Whether a server lives."""

    LIVES = auto()
    ENDED = auto()
    UNKNOWN = auto()


# The first row with one of a state's words decides. A requeued job keeps the base state of its last run, and a job that
# completes keeps the base state that it will have.
LIVES_OF_WORDS = (
    (
        Life.PENDING,
        frozenset({"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT", "EXPEDITING"}),
    ),
    (Life.GONE, frozenset({"REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"})),
    (Life.ENDING, frozenset({"COMPLETING", "STAGE_OUT"})),
    (
        Life.GONE,
        frozenset({"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL"})
        | {"DEADLINE", "PREEMPTED"},
    ),
    (Life.PENDING, frozenset({"PENDING", "CONFIGURING", "POWER_UP_NODE"})),
    (Life.PAUSED, frozenset({"SUSPENDED", "STOPPED"})),
    (Life.RUNNING, frozenset({"RUNNING", "RESIZING", "SIGNALING"})),
    (Life.UNKNOWN, frozenset({"UPDATE_DB"})),  # says nothing about the job
)
WORDS = frozenset().union(*(words for _, words in LIVES_OF_WORDS))
STATE_RE = re.compile(r"[A-Z][A-Z_]*(?:[+,][A-Z_]+)*\+?")


def life_of(state: str) -> Life:
    """Return the phase of life of a job in this state; UNKNOWN if any word of it is unknown."""
    words = {word for word in re.split(r"[+,]", state) if word}
    if not words <= WORDS:
        return Life.UNKNOWN
    return next((life for life, names in LIVES_OF_WORDS if words & names), Life.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as Slurm describes it.

    Attributes:
        life: The phase of its life.
        state: Slurm's name of the state, such as `PENDING`; empty when Slurm did not say.
        reason: Slurm's reason for the state; may be empty.
        node: Name of the node that runs the job's script; empty while the job waits.
        restarts: How often Slurm has put the job back into the queue; None when Slurm did not say.
        exit_code: Exit status and signal of the script as `STATUS:SIGNAL`; empty when Slurm did not say.
    """

    life: Life
    state: str = ""
    reason: str = ""
    node: str = ""
    restarts: int | None = None
    exit_code: str = ""


UNKNOWN = Job(life=Life.UNKNOWN)
NO_JOB = Job(life=Life.GONE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run of a job's script that serves as a server.

    Attributes:
        node: The node of the run; empty when unknown.
        restarts: The job's number of restarts at that time; None when unknown.
    """

    node: str = ""
    restarts: int | None = None

    def is_other_than(self, job: Job) -> bool:
        """Whether the job, which runs, runs elsewhere or again."""
        moved = bool(self.node and job.node and self.node != job.node)
        return moved or self.is_requeued(job)

    def is_requeued(self, job: Job) -> bool:
        """Whether Slurm has put the job back into the queue since this run."""
        return None not in (self.restarts, job.restarts) and self.restarts != job.restarts


def with_requeue(job: Job, run: Run | None) -> Job:
    """Return the job with `REQUEUED` in its state if it completes or has ended after a requeue that ended the run.

    Slurm counts the restart at once, but squeue prints COMPLETING until the epilog ends. A later run may have ended,
    too: its exit code says nothing about this run.
    """
    if run is None or job.life not in (Life.ENDING, Life.GONE) or not run.is_requeued(job):
        return job
    life = Life.PENDING if job.life is Life.ENDING else Life.GONE
    return replace(job, life=life, state=f"{job.state},REQUEUED", exit_code="")


_LIVES = dict.fromkeys(Phase, Fate.LIVES)
_ENDED = dict.fromkeys(Phase, Fate.ENDED)
FATES = {
    # A server whose job waits again, or is held, has lost its processes.
    Life.PENDING: _LIVES | {Phase.READY: Fate.ENDED},
    Life.RUNNING: _LIVES,
    Life.PAUSED: _LIVES,
    # The script has ended or is being killed. Slurm ends the job without the hub, even after a long epilog.
    Life.ENDING: _ENDED,
    Life.GONE: _ENDED,
    Life.UNKNOWN: dict.fromkeys(Phase, Fate.UNKNOWN),
}


def fate(job: Job, phase: Phase, run: Run | None = None) -> Fate:
    """Return whether a server lives.

    Args:
        job: The server's job as Slurm describes it.
        phase: The phase of the server.
        run: The run of the job that is the server, as far as it is known.
    """
    if phase is Phase.READY and job.life in (Life.RUNNING, Life.PAUSED) and run is not None and run.is_other_than(job):
        return Fate.ENDED
    return FATES[job.life][phase]
