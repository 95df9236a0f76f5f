"""The submission of a job.

No job is lost when Slurm's answer is lost or the spawn is given up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bricsauthenticator import slurm
from bricsauthenticator.ends import Source, find_end
from bricsauthenticator.hub_guard.http_errors import ShownError, spawn_failure
from bricsauthenticator.job_ledger import JobLedger, run_in_background
from bricsauthenticator.messages import refused_submission
from bricsauthenticator.slurm_commands import SlurmCommands

FIRST_SEARCH_PAUSE_S = 0.2

# hubpod's spawn timeline and its tests search the hub's log for these lines.
SUBMITTING_LOG = "Submitting the job of %s with the key %s: %s"
SUBMITTED_LOG = "Job %s of %s is submitted"


@dataclass(kw_only=True)
class Submission:
    """Submits a job once, under a key that is saved first.

    When Slurm's answer is lost, the job is found by its key.

    Attributes:
        ledger: Where the job's key and id are recorded.
        commands: Returns the site's commands.
        new_key: Returns a random key.
        write_script: Writes the job script for a key.
        report: Reports progress: a sentence, and percent or None.
        search_timeout_s: Returns how long a job is searched for by its key, in seconds.
        secret: Returns the server's token, which no message may hold.
        owner: Returns the server's name in the log.
        log: Logger.
    """

    ledger: JobLedger
    commands: Callable[[], SlurmCommands]
    new_key: Callable[[], str]
    write_script: Callable[[str], Awaitable[str]]
    report: Callable[[str, int | None], None]
    search_timeout_s: Callable[[], float]
    secret: Callable[[], str]
    owner: Callable[[], str]
    log: logging.Logger | logging.LoggerAdapter[Any]
    _task: asyncio.Task[str] | None = None
    _complaint: str = ""

    async def run(self, submit: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Submit the job and wait until its id is known.

        When the wait is cancelled, the submission continues.

        Args:
            submit: Submits the job and returns its id, as `submit` does.
        """
        self._task = run_in_background(submit())
        if not await asyncio.shield(self._task):
            await self._search()

    async def settle(self) -> None:
        """Wait for a submission whose spawn was given up.

        The submission continues, because its job must not be lost.
        """
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def submit(self) -> str:
        """Submit the job and save its id before anything else happens.

        Returns:
            The id; empty when the answer was lost, so that the job may exist.

        Raises:
            ShownError: 503 with Slurm's complaint when there is certainly no job, or no command to find it by its key.
        """
        key = self.new_key()
        script = await self.write_script(key)
        self.ledger.record_key(key)
        commands = self.commands()
        self.log.info(SUBMITTING_LOG, self.owner(), key, commands.submit_line)
        outcome = await commands.submit_script(script)
        job_id = slurm.read_job_id(outcome.stdout) if outcome.ok else ""
        if job_id:
            self._record_id(job_id)
            return job_id
        safe = outcome.without(self.secret())
        self._complaint = refused_submission(safe.full_complaint)
        row = find_end(Source.SUBMIT, safe.full_complaint)
        advice = f" [{row.name}] {row.operator}".rstrip() if row else ""
        self.log.error("The job of %s was not submitted: %s%s", self.owner(), safe.complaint, advice)
        if not commands.list_own or not slurm.may_have_submitted(outcome.status, outcome.stderr):
            self.ledger.record_key("")
            raise self._error()
        return ""

    async def _search(self) -> None:
        """Search for the job of an unanswered submission until the time limit."""
        self.report("Slurm did not confirm the job; looking for it\N{HORIZONTAL ELLIPSIS}", None)
        deadline, pause = time.monotonic() + self.search_timeout_s(), FIRST_SEARCH_PAUSE_S
        while (remaining_s := deadline - time.monotonic()) > 0:
            if job_id := await self.ledger.find_current(remaining_s):
                self._record_id(job_id)
                return
            await asyncio.sleep(pause)
            pause *= 2
        raise self._error()

    def _record_id(self, job_id: str) -> None:
        self.ledger.record_id(job_id)
        self.log.info(SUBMITTED_LOG, job_id, self.owner())
        self.report(f"Job {job_id} is submitted", 10)

    def _error(self) -> ShownError:
        return spawn_failure(self._complaint)
