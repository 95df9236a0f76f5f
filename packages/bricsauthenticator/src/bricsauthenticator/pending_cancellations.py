"""Jobs without a server that may still run.

They stay in the database until Slurm accepts their cancellation.

An abandoned submission whose answer was lost is one of them. Its job is known by its key alone and may appear later,
because a command that is killed in the hub keeps running on the Slurm host.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import object_session

STATE_KEY = "leftovers"  # the name in the databases of all versions
FREQUENT_RETRIES_S = 3600.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LATE_PAUSE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class PendingCancellation:
    """A job to be cancelled.

    Attributes:
        key: The spawn's key in the job's comment; empty for jobs of older versions.
        job_id: The job's id; empty when the answer to its submission was lost.
        username: The account that the job runs as.
    """

    key: str
    job_id: str
    username: str

    @property
    def name(self) -> str:
        """The job's name in the log."""
        return f"job {self.job_id}" if self.job_id else f"the job with the key {self.key}"

    def same_as(self, other: "PendingCancellation") -> bool:
        """Whether both are the same job: by key, or by id when neither has a key."""
        return self.key == other.key if self.key or other.key else self.job_id == other.job_id


def from_state(state: Mapping[str, Any] | None) -> list[PendingCancellation]:
    """Read the pending cancellations from a spawner's state."""
    return [PendingCancellation(**entry) for entry in (state or {}).get(STATE_KEY, ())]


def to_state(pending: list[PendingCancellation]) -> dict[str, Any]:
    """Return the part of a spawner's state that holds pending cancellations, if any."""
    return {STATE_KEY: [asdict(each) for each in pending]} if pending else {}


def add(row: Any, job: PendingCancellation) -> None:  # noqa: ANN401 - a row of jupyterhub.orm.Spawner
    """Save a pending cancellation in a spawner's row of the database."""
    _replace(row, job, [job])


def remove(row: Any, job: PendingCancellation) -> None:  # noqa: ANN401 - a row of jupyterhub.orm.Spawner
    """Delete a pending cancellation from a spawner's row of the database."""
    _replace(row, job, [])


def _replace(row: Any, old: PendingCancellation, new: list[PendingCancellation]) -> None:  # noqa: ANN401
    session = object_session(row) if row is not None else None
    if session is None:
        return  # the user or the server has been deleted
    state = dict(row.state or {})
    others = [each for each in from_state(state) if not each.same_as(old)]
    state.pop(STATE_KEY, None)
    row.state = state | to_state([*others, *new])
    session.commit()


async def cancel_until_accepted(
    job: PendingCancellation,
    *,
    find: Callable[[], Awaitable[str | None]],
    cancel: Callable[[str], Awaitable[str]],
    log: Any,  # noqa: ANN401 - a logger or an adapter
) -> None:
    """Cancel a job and retry until Slurm accepts the cancellation.

    After an hour, the retries are less frequent.

    Returns when the job is cancelled, or when Slurm reports after an hour of retries that no job has the key.

    Args:
        job: The job.
        find: Returns the job's id by its key; empty when there is no such job, None when Slurm does not say.
        cancel: Cancels the job with this id and returns the reason of a failure; empty on success.
        log: Logger for each failed cancellation, and after an hour for each failed search.
    """
    start, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        job_id = job.job_id or await find()
        complaint = await cancel(job_id) if job_id else f"{job.name} is not found"
        is_late = time.monotonic() - start >= FREQUENT_RETRIES_S
        if not complaint or (is_late and job_id == ""):
            return
        if job_id or is_late:
            log.warning("%s is not cancelled yet: %s", job.name.capitalize(), complaint)
        await asyncio.sleep(LATE_PAUSE_S if is_late else pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
