"""A job as Slurm describes it: asking, and telling the person who waits."""

import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from batchspawner import JobStatus  # type: ignore[import-untyped]
from traitlets import Float, Unicode

from bricsauthenticator import commands, slurm
from bricsauthenticator.commands import Outcome
from bricsauthenticator.job_ledger import KeyedJobSpawner
from bricsauthenticator.joblist import JobList, Listing
from bricsauthenticator.messages import situation
from bricsauthenticator.progress_events import Event, Story
from bricsauthenticator.slurm import Job, Life

STATUS_OF = {
    Life.PENDING: JobStatus.PENDING,
    Life.RUNNING: JobStatus.RUNNING,
    Life.GONE: JobStatus.NOTFOUND,
    Life.UNKNOWN: JobStatus.UNKNOWN,
}
PROGRESS_OF = {Life.PENDING: 20, Life.RUNNING: 60, Life.GONE: 100, Life.UNKNOWN: 10}


class WatchedJobSpawner(KeyedJobSpawner):
    """A spawner that takes Slurm's answers as the only truth about its job, and tells them as progress events."""

    query_all_cmd = Unicode(
        "",
        help="""Whole command, prefix included, that prints `ID ACCOUNT STATE REASON NODE` for each job not ended.

        With it, all servers together ask Slurm one question. Empty where there is no such command.
        """,
    ).tag(config=True)

    orphans_interval = Float(
        30.0,
        min=0,
        help="""Seconds between looks for jobs with this hub's mark that its database does not know, to end them.

        0 means never. Needs `query_all_cmd` with accounts, and `batch_list_cmd`.
        """,
    ).tag(config=True)

    _lists: ClassVar[dict[str, JobList]] = {}
    _job: Job = slurm.UNKNOWN
    _may_exist: bool = False
    _silent: bool = False

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        self._story = Story()
        super().__init__(**kwargs)

    # Asking

    async def query_job_status(self, max_age_s: float = 0.0) -> JobStatus:
        """Ask Slurm about the job, together with other servers that want to know.

        Args:
            max_age_s: Greatest age of an answer that is used again, in seconds.

        Returns:
            PENDING, RUNNING or NOTFOUND as Slurm says, the last also when no job was submitted; UNKNOWN when Slurm
            does not say.
        """
        if not self.job_id and not await self._found_again():
            return JobStatus.UNKNOWN if self._may_exist else JobStatus.NOTFOUND
        outcome = await self._listed(max_age_s)
        if outcome is None:
            outcome = await commands.run(self._command(self.batch_query_cmd), timeout_s=self.command_timeout)
        job = slurm.read_answer(outcome.stdout) if outcome.ok else slurm.read_refusal(outcome.stderr)
        if job.life is Life.UNKNOWN:
            # Once, for a hub with many servers asks every other second.
            level = logging.DEBUG if self._silent else logging.WARNING
            self.log.log(level, "Slurm does not say how job %s is: %s", self.job_id, outcome.complaint)
            self._silent = True
            self._tell(situation(self.job_id, job), None)
            return JobStatus.UNKNOWN
        if job != self._job or self._silent:
            self.log.info("Job %s of %s: %s", self.job_id, self._log_name, job)
        self._job, self._silent = job, False
        self.job_status = outcome.stdout.strip()
        self._tell(situation(self.job_id, job), PROGRESS_OF[job.life])
        return STATUS_OF[job.life]

    async def _listed(self, max_age_s: float) -> Outcome | None:
        """Return what the list shared by all servers says of the job; None when the job has to be asked about alone."""
        if not self.query_all_cmd:
            return None
        return await self._list.look(self.job_id, max_age_s=max_age_s, timeout_s=self.command_timeout)

    async def list_all(self) -> Listing | None:
        """Ask Slurm for all jobs, together with the servers; None while the site does not give that list."""
        return await self._list.newest(timeout_s=self.command_timeout) if self.query_all_cmd else None

    @property
    def _list(self) -> JobList:
        return self._lists.setdefault(self.query_all_cmd, JobList(self.query_all_cmd))

    async def _found_again(self) -> bool:
        """Look for the job by its key, as after a restart of the hub, and return whether its id is known now."""
        if self.job_key and self.batch_list_cmd:
            job_id = await self._find(self.job_key, self.req_username, self.command_timeout)
            self._may_exist = job_id is None
            if job_id:
                self.log.info("Job %s of %s is found again by its key", job_id, self._log_name)
                self.job_id = job_id
                self._save_state()
        return bool(self.job_id)

    def state_gethost(self) -> str:
        """Return the name of the node that runs the job; empty while Slurm has not named one."""
        return self._job.node

    # Telling

    async def progress(self) -> AsyncIterator[Event]:
        """Yield progress events: `message` for the person who waits, and what Slurm said under `slurm` for programs."""
        async for event in self._story:
            yield event

    def _tell(self, message: str, progress: int | None) -> None:
        job = self._job
        about = {"job_id": self.job_id, "state": job.state, "reason": job.reason, "node": job.node}
        event: Event = {"message": message, "slurm": about}
        self._story.add(event if progress is None else {**event, "progress": progress})

    def _forget_job(self) -> None:
        self._job = slurm.UNKNOWN
        self._may_exist = self._silent = False
        if self._story.begun:
            self._story.end()
            self._story = Story()
