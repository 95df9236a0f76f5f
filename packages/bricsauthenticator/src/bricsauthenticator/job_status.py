"""The state of one job as Slurm last reported it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bricsauthenticator import joblist, slurm
from bricsauthenticator.commands import Outcome
from bricsauthenticator.job_states import UNKNOWN, Job, Life
from bricsauthenticator.slurm_commands import SlurmCommands

NO_STATE_LOG = "Slurm does not say how job %s is: %s"


@dataclass(kw_only=True)
class JobStatusQuery:
    """Queries Slurm about one job, and keeps the last answer.

    Attributes:
        commands: Returns the site's commands.
        list_all: Returns the command that lists all jobs; empty when the site has none.
        owner: Returns the server's name in the log.
        log: Logger.
        job: The job as Slurm last described it.
        answer: What Slurm then printed.
        is_silent: Whether Slurm did not say anything about the job in the last query.
    """

    commands: Callable[[], SlurmCommands]
    list_all: Callable[[], str]
    owner: Callable[[], str]
    log: logging.Logger | logging.LoggerAdapter[Any]
    job: Job = UNKNOWN
    answer: str = ""
    is_silent: bool = False
    _answered_at: float = float("-inf")

    @property
    def is_gone(self) -> bool:
        """Whether Slurm has reported the end of the job."""
        return self.job.life is Life.GONE

    def reset(self) -> None:
        """Forget the job."""
        self.job, self.answer, self.is_silent = UNKNOWN, "", False
        self._answered_at = float("-inf")

    async def query(self, job_id: str, max_age_s: float, reuse_s: float = 0.0) -> Job:
        """Query Slurm about the job, in one command with other servers.

        Args:
            job_id: The job.
            max_age_s: Maximum age of a list of all jobs that may be reused, in seconds.
            reuse_s: Maximum age of an answer about a running job that may be reused if jobs cannot be listed together.

        Returns:
            The job; UNKNOWN when Slurm does not say, which leaves the last answer unchanged.
        """
        outcome = await self._query_list(job_id, max_age_s, is_idle=reuse_s > 0)
        if outcome is None:
            if self.job.life is Life.RUNNING and time.monotonic() < self._answered_at + reuse_s:
                return self.job
            start = time.monotonic()
            outcome = await self.commands().query_job(job_id)
            self._answered_at = start if outcome.ok else float("-inf")
        job = _read(outcome, job_id)
        if job.life is Life.UNKNOWN:
            # Only the first failure is a warning: a hub with many servers queries every other second.
            self.log.log(logging.DEBUG if self.is_silent else logging.WARNING, NO_STATE_LOG, job_id, outcome.complaint)
            self.is_silent = True
            return job
        if job != self.job or self.is_silent:
            self.log.info("Job %s of %s: %s", job_id, self.owner(), job)
        self.job, self.answer, self.is_silent = job, outcome.stdout.strip(), False
        return job

    async def _query_list(self, job_id: str, max_age_s: float, *, is_idle: bool) -> Outcome | None:
        """Return the job's line in the shared list of all jobs.

        The result is None when the job must be queried alone.
        """
        if not self.list_all():
            return None
        jobs = joblist.shared_list(self.list_all())
        return await jobs.find(job_id, max_age_s=max_age_s, timeout_s=self.commands().timeout_s, even_alone=is_idle)


def _read(outcome: Outcome, job_id: str) -> Job:
    job = slurm.read_answer(outcome.stdout, job_id) if outcome.ok else UNKNOWN
    # A site's own squeue may end with status 0 after Slurm's refusal.
    return job if job.life is not Life.UNKNOWN else slurm.read_refusal(outcome.stderr)
