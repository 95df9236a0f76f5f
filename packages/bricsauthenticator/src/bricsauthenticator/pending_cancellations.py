"""Leftovers: jobs that no server has any more and that may still run, kept in the database until they are cancelled.

A submission whose answer was lost and that nobody waits for is a leftover, too: its job is known by its key alone, and
may still come to exist, because a command that was cut off here goes on at the other end.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import object_session

STATE_KEY = "leftovers"
TRIED_FOR_S = 3600.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LATE_PAUSE_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A job that has to end.

    Attributes:
        key: The spawn's own key, which is in the job's comment; empty for jobs of older versions.
        job_id: Its id; empty when the answer to its submission was lost.
        username: The account that it runs as.
    """

    key: str
    job_id: str
    username: str

    @property
    def name(self) -> str:
        """What the log calls it."""
        return f"job {self.job_id}" if self.job_id else f"the job with the key {self.key}"

    def same_as(self, other: "Leftover") -> bool:
        """Whether both are the same job: by key, or by id where neither has a key."""
        return self.key == other.key if self.key or other.key else self.job_id == other.job_id


def in_state(state: Mapping[str, Any] | None) -> list[Leftover]:
    """Return the leftovers in a spawner's state."""
    return [Leftover(**entry) for entry in (state or {}).get(STATE_KEY, ())]


def to_state(leftovers: list[Leftover]) -> dict[str, Any]:
    """Return the entry of a spawner's state that holds leftovers; empty when there are none."""
    return {STATE_KEY: [asdict(leftover) for leftover in leftovers]} if leftovers else {}


def remember(orm_spawner: Any, leftover: Leftover) -> None:  # noqa: ANN401 - a row of JupyterHub's
    """Add a leftover to a spawner's row in the database."""
    _replace(orm_spawner, leftover, [leftover])


def forget(orm_spawner: Any, leftover: Leftover) -> None:  # noqa: ANN401 - a row of JupyterHub's
    """Remove a leftover from a spawner's row in the database."""
    _replace(orm_spawner, leftover, [])


def _replace(orm_spawner: Any, old: Leftover, new: list[Leftover]) -> None:  # noqa: ANN401
    session = object_session(orm_spawner) if orm_spawner is not None else None
    if session is None:
        return  # the person or the server has been deleted meanwhile
    state = dict(orm_spawner.state or {})
    others = [leftover for leftover in in_state(state) if not leftover.same_as(old)]
    state.pop(STATE_KEY, None)
    orm_spawner.state = state | to_state([*others, *new])
    session.commit()


async def end(
    leftover: Leftover,
    *,
    find: Callable[[], Awaitable[str | None]],
    cancel: Callable[[str], Awaitable[str]],
    log: Any,  # noqa: ANN401 - a logger or an adapter
) -> None:
    """Cancel a job, and try again while it cannot be found or Slurm cannot be reached; after an hour less often.

    Returns when the job is cancelled, or when Slurm says after an hour of attempts that there is no job with the key.

    Args:
        leftover: The job.
        find: Returns its id by its key; empty when there is no such job, None when Slurm does not say.
        cancel: Cancels the job with this id and returns why that failed; empty when it did not.
        log: Gets a warning whenever Slurm did not cancel the job, and after an hour also when it was not found.
    """
    begun, pause = time.monotonic(), FIRST_PAUSE_S
    while True:
        job_id = leftover.job_id or await find()
        complaint = await cancel(job_id) if job_id else f"{leftover.name} is not found"
        tried_long = time.monotonic() - begun >= TRIED_FOR_S
        if not complaint or (tried_long and job_id == ""):
            return
        if job_id or tried_long:
            log.warning("%s is not cancelled yet: %s", leftover.name.capitalize(), complaint)
        await asyncio.sleep(LATE_PAUSE_S if tried_long else pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
