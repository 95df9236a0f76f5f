"""The explanation of an end: one sentence for the user, and one line in the hub's log for the operator."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bricsauthenticator.ends import End, hub_end
from bricsauthenticator.job_states import Job, Life, Phase, Run, with_requeue
from bricsauthenticator.job_status import JobStatusQuery
from bricsauthenticator.messages import end_message, find_exit, find_job_end, hub_message, situation, with_log
from bricsauthenticator.startup import OverdueError

FINAL_STATE_TIMEOUT_S = 3.0
"""How long to wait for the final state of a completing job, which has a better reason than COMPLETING."""

LONGEST_PAUSE_S = 1.0
END_LOG = "The server of %s has ended [%s]: %s"
"""The line for the operator, with the server, the rows of the table of ends, and the user's sentence."""


@dataclass(frozen=True, kw_only=True)
class EndReport:
    """Explains the end of one server.

    Attributes:
        spawner: The server's spawner.
        status: The job as Slurm last described it.
        phase: Returns the phase of the server.
        run: Returns the run of the job that is the server; None when unknown.
        log_path: Returns the file of the job's output, in which `%j` is the job id, or an empty text.
        owner: Returns the server's name in the log.
    """

    spawner: Any
    status: JobStatusQuery
    phase: Callable[[], Phase]
    run: Callable[[], Run | None]
    log_path: Callable[[], str]
    owner: Callable[[], str]

    async def explain_job(self) -> str:
        """Return a sentence why the job has ended, and log it."""
        job_id = self.spawner.job_id
        is_ready = self.phase() is Phase.READY and self.spawner.pending != "spawn"
        await self._wait_for_final_state(job_id)
        job = self._job()
        sentence = end_message(job_id, job) if is_ready else situation(job_id, replace(job, life=Life.GONE))
        return await self._finish(sentence, find_job_end(job), find_exit(job))

    def _job(self) -> Job:
        # A start waits for the job's next run, so that the last run decides about it.
        return with_requeue(self.status.job, self.run() if self.phase() is Phase.READY else None)

    async def _wait_for_final_state(self, job_id: str) -> None:
        deadline = time.monotonic() + FINAL_STATE_TIMEOUT_S
        while self._job().life is Life.ENDING and time.monotonic() < deadline:
            await asyncio.sleep(min(LONGEST_PAUSE_S, self.spawner.startup_poll_interval))
            await self.status.query(job_id, 0.0)

    async def explain_delay(self, late: OverdueError) -> str:
        """Return a sentence about a start that has taken too long, and log it."""
        return await self.explain_decision(late.name, waited_s=late.waited_s, why=late.why)

    async def explain_decision(self, name: str, *, waited_s: float = 0.0, why: str = "") -> str:
        """Return the sentence of a decision of the hub, and log it; see hub_message."""
        row = hub_end(name)
        return await self._finish(hub_message(row, self.spawner.job_id, self.status.job, waited_s, why), row)

    async def _finish(self, sentence: str, *rows: End | None) -> str:
        """Add the job's log to a sentence, and log it with its rows and what they advise."""
        job_id, secret = self.spawner.job_id, self.spawner.api_token
        last_line = await self.spawner.slurm_commands().last_log_line(job_id) if job_id else ""
        last_line = last_line.replace(secret, "[secret]") if secret else last_line
        text = with_log(sentence, self.log_path().replace("%j", job_id) if job_id else "", last_line)
        found = [row for row in rows if row is not None]
        names = " ".join(row.name for row in found) or "unknown"
        advice = " ".join(row.operator for row in found if row.operator)
        self.spawner.log.warning(END_LOG, self.owner(), names, f"{text} {advice}".strip())
        return text
