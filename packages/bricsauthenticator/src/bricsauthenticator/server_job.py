"""The current job of one server, and the parts that submit, watch, record and cancel it."""

import asyncio
import time
from typing import Any

from batchspawner import JobStatus  # type: ignore[import-untyped]

from bricsauthenticator import jobscript, slurm
from bricsauthenticator.job_ledger import JobLedger
from bricsauthenticator.job_status import JobStatusQuery
from bricsauthenticator.messages import situation
from bricsauthenticator.pending_cancellations import PendingCancellation
from bricsauthenticator.progress_events import Event, ProgressEvents
from bricsauthenticator.slurm import Life
from bricsauthenticator.startup import StartupWatch
from bricsauthenticator.submission import Submission

STATUS_OF = {
    Life.PENDING: JobStatus.PENDING,
    Life.RUNNING: JobStatus.RUNNING,
    Life.GONE: JobStatus.NOTFOUND,
    Life.UNKNOWN: JobStatus.UNKNOWN,
}
PROGRESS_OF = {Life.PENDING: 20, Life.RUNNING: 60, Life.GONE: 100, Life.UNKNOWN: None}
LONGEST_STOP_PAUSE_S = 1.0


class ServerJob:
    """Wires the parts to one spawner, whose traits hold the job's identity and the settings.

    Attributes:
        events: The progress events of the current spawn.
        status: The job as Slurm last described it.
        ledger: The job in the database, and the server's pending cancellations.
        submission: The submission of the job.
        startup: The wait for the server to listen.
    """

    def __init__(self, spawner: Any) -> None:  # noqa: ANN401 - BricsSlurmSpawner, whose module imports this one
        self._spawner = spawner
        self.events = ProgressEvents()
        commands, log = spawner.slurm_commands, spawner.log
        self.status = JobStatusQuery(
            commands=commands, list_all=lambda: spawner.query_all_cmd, owner=self._owner, log=log
        )
        self.ledger = JobLedger(
            current=spawner,
            row=lambda: spawner.orm_spawner,
            state=spawner.get_state,
            commands=commands,
            owner=self._owner,
            log=log,
        )
        self.submission = Submission(
            ledger=self.ledger,
            commands=commands,
            new_key=self._new_key,
            write_script=self._write_script,
            report=self.report,
            search_timeout_s=lambda: spawner.search_timeout,
            secret=lambda: spawner.api_token,
            owner=self._owner,
            log=log,
        )
        self.startup = StartupWatch(
            query=spawner.query_job_status,
            job=lambda: self.status.job,
            job_id=lambda: spawner.job_id,
            port=lambda: spawner.port,
            poll_interval_s=lambda: spawner.startup_poll_interval,
            answer_timeout_s=lambda: spawner.answer_timeout,
        )

    def _owner(self) -> str:
        return str(self._spawner._log_name)  # noqa: SLF001 - JupyterHub's own name of a server in its log

    def _new_key(self) -> str:
        cookie_secret = self._spawner.user.settings.get("cookie_secret", b"")
        return slurm.new_key(slurm.hub_mark(cookie_secret, self._spawner.hub_connect_url or ""))

    async def _write_script(self, key: str) -> str:
        spawner = self._spawner
        variables = {**spawner.get_req_subvars(), "cmd": spawner.cmd_formatted_for_batch()}
        environment = {name: str(value) for name, value in spawner.get_env().items()}
        script = jobscript.with_key(await spawner._get_batch_script(**variables), key)  # noqa: SLF001 - batchspawner's
        return jobscript.with_exports(script, environment)

    def report(self, message: str, percent: int | None) -> None:
        """Add a progress event.

        It has `message` for the user, and Slurm's words under `slurm` for programs.
        """
        job = self.status.job
        about = {"job_id": self._spawner.job_id, "state": job.state, "reason": job.reason, "node": job.node}
        event: Event = {"message": message, "slurm": about}
        self.events.add(event if percent is None else {**event, "progress": percent})

    async def query(self, max_age_s: float) -> JobStatus:
        """Query Slurm about the job, as BricsSlurmSpawner.query_job_status describes.

        An unknown job id is first looked up by the job's key.
        """
        spawner = self._spawner
        if not spawner.job_id:
            is_found = await self.ledger.recover_id()
            if not is_found:
                return JobStatus.UNKNOWN if is_found is None else JobStatus.NOTFOUND
        job = await self.status.query(spawner.job_id, max_age_s)
        if job.life is not Life.UNKNOWN:
            spawner.job_status = self.status.answer
        self.report(situation(spawner.job_id, job), PROGRESS_OF[job.life])
        return STATUS_OF[job.life]

    def job_to_cancel(self) -> PendingCancellation | None:
        """Return the job for cancellation, or None without a job that may run."""
        return None if self.status.is_gone else self.ledger.job_to_cancel()

    def is_being_cancelled(self) -> bool:
        """Whether the job is among the pending cancellations in the database."""
        job = self.job_to_cancel()
        return job is not None and any(map(job.same_as, self.ledger.pending()))

    async def cancel(self, job: PendingCancellation, *, timeout_s: float, until_gone: bool) -> None:
        """Cancel the job and wait until Slurm accepts the cancellation.

        With `until_gone`, also wait until Slurm reports that the job is gone. `timeout_s` limits the whole wait.
        """
        deadline = time.monotonic() + timeout_s
        cancellation = self.ledger.give_up(job)
        spawner = self._spawner
        if not spawner.job_id:
            return
        await asyncio.wait({cancellation}, timeout=timeout_s)
        while until_gone and await spawner.query_job_status() is not JobStatus.NOTFOUND:
            if time.monotonic() >= deadline:
                spawner.log.warning("Job %s is cancelled, and Slurm does not say that it is gone yet", spawner.job_id)
                return
            await asyncio.sleep(min(spawner.startup_poll_interval, LONGEST_STOP_PAUSE_S))

    def reset(self) -> None:
        """Forget the job, and end its progress events."""
        self.status.reset()
        self.startup.reset()
        self.ledger.is_given_up = False
        if self.events.has_begun:
            self.events.end()
            self.events = ProgressEvents()
