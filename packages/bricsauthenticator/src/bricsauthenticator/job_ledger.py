"""The jobs of one server, recorded in the database.

The record keeps every job known when Slurm's answer is lost or the hub dies.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy.orm import object_session

from bricsauthenticator import pending_cancellations
from bricsauthenticator.pending_cancellations import PendingCancellation
from bricsauthenticator.projects import is_account
from bricsauthenticator.slurm_commands import SlurmCommands

T = TypeVar("T")

_background: set[asyncio.Task[Any]] = set()  # the event loop keeps weak references only


def run_in_background(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task that keeps running when its caller is cancelled."""
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_background.discard)
    return task


class CurrentJob(Protocol):
    """The spawner's attributes that identify its current job.

    Attributes:
        job_id: Slurm's id; empty until it is known.
        job_key: The spawn's key, which is the last word of the job's comment; empty without a spawn.
        req_username: The account that the job runs as.
    """

    job_id: str
    job_key: str
    req_username: str


@dataclass(kw_only=True)
class JobLedger:
    """The current job of a server, and its pending cancellations.

    A key is saved before its job is submitted. A job without a server stays in the database until Slurm has accepted
    its cancellation.

    Attributes:
        current: Where the current job is read from and recorded.
        row: Returns the server's row of the database; None if it is missing.
        state: Returns the spawner's state to save.
        commands: Returns the site's commands.
        owner: Returns the server's name in the log.
        log: Logger.
        is_given_up: Whether the current job is being cancelled.
    """

    current: CurrentJob
    row: Callable[[], Any]
    state: Callable[[], dict[str, Any]]
    commands: Callable[[], SlurmCommands]
    owner: Callable[[], str]
    log: logging.Logger | logging.LoggerAdapter[Any]
    is_given_up: bool = False

    # Several spawners may have had the same row, and all of them cancel its jobs.
    _cancelling: ClassVar[dict[str, asyncio.Task[None]]] = {}

    # The current job

    def record_key(self, key: str) -> None:
        """Set the current job's key and save it, or an empty one when the job certainly does not exist."""
        self.current.job_key = key
        self.save()

    def record_id(self, job_id: str) -> None:
        """Set the current job's id and save it."""
        self.current.job_id = job_id
        self.save()

    async def find_current(self, timeout_s: float) -> str | None:
        """Find the current job by its key, as SlurmCommands.find_job does."""
        return await self.commands().find_job(self.current.job_key, self.current.req_username, timeout_s)

    async def recover_id(self) -> bool | None:
        """Find an unknown id of the current job by its key, as after a restart of the hub.

        Returns:
            Whether the id is known now; None when Slurm does not say.
        """
        commands = self.commands()
        if not self.current.job_key or not commands.list_own:
            return False
        job_id = await self.find_current(commands.timeout_s)
        if job_id:
            self.log.info("Job %s of %s is found again by its key", job_id, self.owner())
            self.record_id(job_id)
        return None if job_id is None else bool(job_id)

    def job_to_cancel(self) -> PendingCancellation | None:
        """Return the current job for cancellation.

        The result is None while the job is being cancelled, and when the job has no account, or neither an id nor a key
        to find it by.
        """
        current = self.current
        can_be_found = current.job_id or (current.job_key and self.commands().list_own)
        if self.is_given_up or not can_be_found or not is_account(current.req_username):
            return None
        return PendingCancellation(key=current.job_key, job_id=current.job_id, username=current.req_username)

    # Pending cancellations

    def give_up(self, job: PendingCancellation) -> asyncio.Task[None]:
        """Cancel the current job in the background."""
        self.is_given_up = True
        return self.cancel_in_background(job)

    def cancel_in_background(self, job: PendingCancellation) -> asyncio.Task[None]:
        """Save a pending cancellation and start it.

        If the hub stops before the cancellation ends, the next hub continues it.
        """
        name = job.key or job.job_id
        task = self._cancelling.get(name)
        if task is None or task.done():
            pending_cancellations.add(self.row(), job)
            task = self._cancelling[name] = run_in_background(self._cancel(job))
            task.add_done_callback(lambda done: self._cancelling.get(name) is done and self._cancelling.pop(name))
        return task

    async def _cancel(self, job: PendingCancellation) -> None:
        row = self.row()
        await pending_cancellations.cancel_until_accepted(
            job,
            find=lambda: self.commands().find_job(job.key, job.username),
            cancel=lambda job_id: self.commands().cancel_job(job_id, job.username),
            log=self.log,
        )
        pending_cancellations.remove(row, job)

    def pending(self) -> list[PendingCancellation]:
        """Return the pending cancellations in the server's row of the database.

        Several spawners may have written them.
        """
        row = self.row()
        return pending_cancellations.from_state(row.state if row else None)

    # State

    def to_state(self) -> dict[str, Any]:
        """Return the current job's key and the pending cancellations for the database.

        A restarted hub finds the job by the key and continues the cancellations.
        """
        key = {"job_key": self.current.job_key} if self.current.job_key else {}
        return key | pending_cancellations.to_state(self.pending())

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the current job's key, and continue the cancellations."""
        self.current.job_key = state.get("job_key", "")
        for job in pending_cancellations.from_state(state):
            self.cancel_in_background(job)

    def save(self) -> None:
        """Write the spawner's state to the database now.

        JupyterHub writes it only when the server is up.
        """
        row = self.row()
        if row is not None:
            row.state = self.state()
            session = object_session(row)
            if session is not None:
                session.commit()
