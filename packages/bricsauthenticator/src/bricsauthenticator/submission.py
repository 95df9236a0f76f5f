"""Submitting a job, so that it is known even when the answer is lost or the spawn is given up meanwhile."""

import asyncio
import time
from typing import ClassVar

from traitlets import Float

from bricsauthenticator import commands, jobscript, slurm
from bricsauthenticator.http_errors import ShownError, failed
from bricsauthenticator.job_status import WatchedJobSpawner

FIRST_SEARCH_PAUSE_S = 0.2


class SubmittedJobSpawner(WatchedJobSpawner):
    """A spawner that submits its job once, under a key saved before, and looks for it when no answer comes.

    Attributes:
        exports_in_script: The server's variables are exported by lines in the job script. A configuration therefore
            needs neither `--export={{keepvars}}` in `batch_script` nor `NAME=value` in `batch_submit_cmd`. Spawners
            without this attribute hand the variables to the submit command in its environment.
    """

    exports_in_script: ClassVar[bool] = True

    search_timeout = Float(
        10.0, min=0, help="Seconds to look for a job by its key when the answer to its submission was lost."
    ).tag(config=True)

    _submission: asyncio.Task[str] | None = None
    _complaint: str = ""

    async def _until_submitted(self) -> None:
        """Submit the job and wait until its id is known; a submission under way goes on when the wait is cancelled."""
        self._submission = self._in_background(self.submit_batch_script())
        if not await asyncio.shield(self._submission):
            await self._until_found()

    async def _settled_submission(self) -> None:
        """Wait for a submission that was under way when the spawn was given up: its job must not be lost."""
        if self._submission is not None and not self._submission.done():
            await asyncio.wait({self._submission})

    async def submit_batch_script(self) -> str:
        """Submit the job and return its id, which is in the database before anything else happens.

        Returns:
            The id; empty when the answer was lost, so that there may be a job all the same.

        Raises:
            ShownError: 503 with Slurm's complaint when there is certainly no job, or no command to find it by its key.
        """
        key = self._new_key()
        script = await self._script(key)
        self.job_key = key
        self._save_state()
        command = self._command(self.batch_submit_cmd)
        self.log.info("Submitting the job of %s with the key %s: %s", self._log_name, self.job_key, command)
        outcome = await commands.run(command, stdin=script, timeout_s=self.command_timeout)
        job_id = slurm.read_job_id(outcome.stdout) if outcome.ok else ""
        if job_id:
            self._submitted(job_id)
            return job_id
        self._complaint = outcome.without(self.api_token).complaint
        self.log.error("The job of %s was not submitted: %s", self._log_name, self._complaint)
        if not self.batch_list_cmd or not slurm.may_have_submitted(outcome.status, outcome.stderr):
            self.job_key = ""
            self._save_state()
            raise self._not_submitted()
        return ""

    async def _script(self, key: str) -> str:
        variables = {**self.get_req_subvars(), "cmd": self.cmd_formatted_for_batch()}
        environment = {name: str(value) for name, value in self.get_env().items()}
        script = jobscript.with_key(await self._get_batch_script(**variables), key)
        return jobscript.with_exports(script, environment)

    def _submitted(self, job_id: str) -> None:
        self.job_id = job_id
        self._save_state()
        self.log.info("Job %s of %s is submitted", self.job_id, self._log_name)
        self._tell(f"Job {self.job_id} is submitted", 10)

    def _not_submitted(self) -> ShownError:
        return failed(f"The job could not be submitted to Slurm: {self._complaint}")

    async def _until_found(self) -> None:
        """Look for a job whose submission was not answered, and fail when search_timeout is over."""
        self._tell("Slurm did not confirm the job; looking for it\N{HORIZONTAL ELLIPSIS}", None)
        deadline, pause = time.monotonic() + self.search_timeout, FIRST_SEARCH_PAUSE_S
        while (left_s := deadline - time.monotonic()) > 0:
            job_id = await self._find(self.job_key, self.req_username, left_s)
            if job_id:
                self._submitted(job_id)
                return
            await asyncio.sleep(pause)
            pause *= 2
        raise self._not_submitted()
