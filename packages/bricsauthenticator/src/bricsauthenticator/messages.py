"""Sentences about a job for its user: pure."""

from bricsauthenticator.slurm import Job, Life

# The beginning of Slurm's reason and its meaning for the waiting user; the first match counts.
WAIT_REASONS = (
    ("Priority", "other jobs are in front of it"),
    ("Resources", "waiting for a node to become free"),
    ("ReqNodeNotAvail", "the nodes it needs are down, drained or reserved"),
    ("ReservationDeleted", "its reservation has been deleted"),
    ("Reservation", "waiting for its reservation to begin"),
    ("InvalidAccount", "its Slurm account is not valid"),
    ("InvalidQOS", "its quality of service is not valid"),
    ("QOSMaxJobsPerUserLimit", "you already run as many jobs as you may"),
    ("QOSMaxWall", "it requests more time than is allowed"),
    ("QOS", "a limit on jobs or resources is reached"),
    ("MaxGRES", "your project uses as many GPUs as it may"),
    ("AssocGrpBilling", "your project's allocation is used up"),
    ("AssocGrp", "your project uses as many resources as it may"),
    ("Assoc", "a limit of your project is reached"),
    ("PartitionTimeLimit", "it requests more time than the partition allows"),
    ("PartitionNodeLimit", "it requests more than the partition has"),
    ("PartitionDown", "the partition is down"),
    ("PartitionInactive", "the partition is not active"),
    ("NodeDown", "a node that it needs is down"),
    ("JobHeldAdmin", "an operator holds it back"),
    ("JobHeldUser", "it is held back"),
    ("Licenses", "waiting for a licence"),
    ("Dependency", "waiting for another job"),
    ("BeginTime", "its start time has not come yet"),
    ("Cleaning", "an earlier run of it is being cleaned up"),
    ("Prolog", "its node is being prepared"),
    ("launch failed", "it could not be launched and is held back"),
)
END_REASONS = {
    "CANCELLED": "it was cancelled",
    "COMPLETED": "it ended by itself",
    "FAILED": "its command failed",
    "TIMEOUT": "its time was over",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it ran out of memory",
    "BOOT_FAIL": "its node could not be started",
    "DEADLINE": "its deadline passed",
    "PREEMPTED": "a more important job took its place",
}


def why_waiting(reason: str) -> str:
    """Return why a job waits, in words, or an empty text for an unknown reason of Slurm."""
    return next((words for start, words in WAIT_REASONS if reason.startswith(start)), "")


def situation(job_id: str, job: Job) -> str:
    """Return one sentence about a job that has no server yet."""
    match job.life:
        case Life.PENDING:
            why = f" ({job.reason})" if job.reason else ""
            words = why_waiting(job.reason)
            return f"Job {job_id} is queued{why}{': ' + words if words else ''}\N{HORIZONTAL ELLIPSIS}"
        case Life.RUNNING:
            return f"Job {job_id} is starting{' on node ' + job.node if job.node else ''}\N{HORIZONTAL ELLIPSIS}"
        case Life.GONE:
            return f"Job {job_id} ended before the server was ready: {_ending(job)}."
        case Life.UNKNOWN:
            return f"Slurm does not answer at the moment; job {job_id} will be checked again\N{HORIZONTAL ELLIPSIS}"


def no_answer(job_id: str, job: Job, waited_s: float) -> str:
    """Return one sentence about a running job whose server cannot be reached."""
    return f"Job {job_id} runs on node {job.node}, but its server did not answer within {waited_s:.0f} s."


def end_message(job_id: str, job: Job) -> str:
    """Return one sentence about a job that ended while its server was in use."""
    return f"Job {job_id} ended: {_ending(job)}."


def _ending(job: Job) -> str:
    if not job.state:
        return "Slurm no longer knows it"
    words = END_REASONS.get(job.state, "")
    detail = f"{job.state}, {job.reason}" if job.reason else job.state
    return f"{words} ({detail})" if words else detail
