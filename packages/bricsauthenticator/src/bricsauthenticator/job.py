"""A server's life as a Slurm job: submit it, watch it, wait for its port, cancel it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar

from batchspawner import JobStatus  # type: ignore[import-untyped]
from traitlets import Float, Unicode, observe

from bricsauthenticator import commands, jobscript, slurm
from bricsauthenticator.commands import Outcome
from bricsauthenticator.failures import failed
from bricsauthenticator.joblist import JobList
from bricsauthenticator.keyed import KeyedJobSpawner
from bricsauthenticator.leftovers import Leftover
from bricsauthenticator.slurm import Job, Life
from bricsauthenticator.story import Event, Story
from bricsauthenticator.wording import situation

STATUS_OF = {
    Life.PENDING: JobStatus.PENDING,
    Life.RUNNING: JobStatus.RUNNING,
    Life.GONE: JobStatus.NOTFOUND,
    Life.UNKNOWN: JobStatus.UNKNOWN,
}
PROGRESS_OF = {Life.PENDING: 20, Life.RUNNING: 60, Life.GONE: 100, Life.UNKNOWN: 10}

CONNECT_INTERVAL_S = 0.05
FIRST_SEARCH_PAUSE_S = 0.2
SOON_S = 1.0


class SlurmJobSpawner(KeyedJobSpawner):
    """batchspawner's Slurm spawner with Slurm's own word as the only truth about a job, and no polling floor.

    Attributes:
        exports_in_script: The server's variables are exported by lines in the job script. A configuration therefore
            needs neither `--export={{keepvars}}` in `batch_script` nor `NAME=value` in `batch_submit_cmd`. Spawners
            without this attribute hand the variables to the submit command in its environment.
    """

    exports_in_script: ClassVar[bool] = True

    stop_timeout = Float(10.0, min=0, help="Seconds to wait for Slurm to say that a cancelled job is gone.").tag(
        config=True
    )

    query_all_cmd = Unicode(
        "",
        help="""Whole command, prefix included, that prints a line `ID STATE REASON NODE` for each job not ended.

        With it, all servers together ask Slurm one question. Empty where there is no such command.
        """,
    ).tag(config=True)

    search_timeout = Float(
        10.0, min=0, help="Seconds to look for a job by its key when the answer to its submission was lost."
    ).tag(config=True)

    _lists: ClassVar[dict[str, JobList]] = {}

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        self._job = slurm.UNKNOWN
        self._story = Story()
        self._wake = asyncio.Event()
        self._reported = asyncio.Event()
        self._submission: asyncio.Task[str] | None = None
        self._left = self._may_exist = False
        self._complaint = ""
        super().__init__(**kwargs)

    # Starting

    async def start(self) -> tuple[str, int]:
        """Submit the job and return the node and port that its server listens on."""
        self.ip = self.traits()["ip"].default_value
        self.port = self.traits()["port"].default_value
        if self.server:
            self.server.port = self.port
        self._forget_job()
        try:
            self._submission = self._in_background(self.submit_batch_script())
            if not await asyncio.shield(self._submission):
                await self._until_found()
            await self._until_listening()
        except BaseException as error:
            self._story.end()
            # JupyterHub stops what it has cancelled, and before that waits only a second for the end of the start.
            if not isinstance(error, asyncio.CancelledError) and self._job.life is not Life.GONE:
                await self.stop()
            raise
        self.ip = self._job.node
        self._tell(f"Job {self.job_id} is ready on node {self.ip}", 90)
        self._story.end()
        self.log.info("Job %s of %s listens on %s:%s", self.job_id, self._log_name, self.ip, self.port)
        return self.ip, self.port

    async def submit_batch_script(self) -> str:
        """Submit the job and return its id, which is in the database before anything else happens.

        Returns:
            The id; empty when the answer was lost, so that there may be a job all the same.
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

    def _not_submitted(self) -> Exception:
        return failed(f"The job could not be submitted to Slurm: {self._complaint}")

    async def _until_found(self) -> None:
        """Look for a job whose submission was not answered, for at most search_timeout."""
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

    async def _until_listening(self) -> None:
        """Wait until the server listens where the job said it would, or the job is over."""
        watch = asyncio.ensure_future(self._watch())
        listening = asyncio.ensure_future(self._connected())
        try:
            await asyncio.wait({watch, listening}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
        finally:
            watch.cancel()
            listening.cancel()
            await asyncio.gather(watch, listening, return_exceptions=True)

    async def _connected(self) -> None:
        """Connect to the reported port as soon as it can be done, for at most http_timeout.

        The job reports its port before it starts the server. JupyterHub looks for the server at growing intervals, and
        would lose a second or more; and it does not notice a job that ends meanwhile.
        """
        await self._reported.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.http_timeout):
                while not await commands.listens(self._job.node, self.port):  # noqa: ASYNC110 - the other end is another process
                    await asyncio.sleep(CONNECT_INTERVAL_S)

    async def _watch(self) -> None:
        """Ask Slurm every startup_poll_interval, and at once when the port is reported, until the job is over."""
        max_age_s = 0.0
        while True:
            self._wake.clear()
            if await self.query_job_status(max_age_s) is JobStatus.NOTFOUND:
                raise failed(situation(self.job_id, self._job))
            # Not wait_for, which in Python 3.11 loses a cancellation that comes together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self.startup_poll_interval):
                    await self._wake.wait()
            max_age_s = 0.0 if self._wake.is_set() else min(self.startup_poll_interval / 2, SOON_S)

    @observe("port")
    def _port_changed(self, _change: object) -> None:
        # The job reports its port to batchspawner's API handler, which sets it here.
        if self.port:
            self._wake.set()
            self._check_reported()

    def _check_reported(self) -> None:
        if self.port and self._job.node:
            self._reported.set()

    # Watching

    async def query_job_status(self, max_age_s: float = 0.0) -> JobStatus:
        """Ask Slurm about the job, together with other servers that want to know.

        Args:
            max_age_s: Seconds that the answer may be old.
        """
        if not self.job_id and not await self._found_again():
            return JobStatus.UNKNOWN if self._may_exist else JobStatus.NOTFOUND
        outcome = await self._listed(max_age_s)
        if outcome is None:
            outcome = await commands.run(self._command(self.batch_query_cmd), timeout_s=self.command_timeout)
        job = slurm.read_answer(outcome.stdout) if outcome.ok else slurm.read_refusal(outcome.stderr)
        if job.life is Life.UNKNOWN:
            self.log.warning("Slurm does not say how job %s is: %s", self.job_id, outcome.complaint)
            self._tell(situation(self.job_id, job), None)
            return JobStatus.UNKNOWN
        if job != self._job:
            self.log.info("Job %s of %s: %s", self.job_id, self._log_name, job)
        self._job = job
        self.job_status = outcome.stdout.strip()
        self._tell(situation(self.job_id, job), PROGRESS_OF[job.life])
        self._check_reported()
        return STATUS_OF[job.life]

    async def _listed(self, max_age_s: float) -> Outcome | None:
        """Look for the job in the list that all servers share; None if it is not there."""
        if not self.query_all_cmd:
            return None
        shared = self._lists.setdefault(self.query_all_cmd, JobList(self.query_all_cmd))
        return await shared.look(self.job_id, max_age_s=max_age_s, timeout_s=self.command_timeout)

    async def _found_again(self) -> bool:
        """Look for the job by its key when its id is not known, as after a restart of the hub."""
        if self.job_key and self.batch_list_cmd:
            job_id = await self._find(self.job_key, self.req_username, self.command_timeout)
            self._may_exist = job_id is None
            if job_id:
                self.log.info("Job %s of %s is found again by its key", job_id, self._log_name)
                self.job_id = job_id
                self._save_state()
        return bool(self.job_id)

    async def poll(self) -> int | None:
        """Return None while the job lives or Slurm does not say, else an exit status."""
        await self._settled_submission()
        if await self.query_job_status(self.poll_interval / 2) is not JobStatus.NOTFOUND:
            return None
        return 0 if self._job.state == "COMPLETED" else 1

    async def progress(self) -> AsyncIterator[Event]:
        """Yield what happens to the job, for the person who waits; key `slurm` holds the same for machines."""
        async for event in self._story:
            yield event

    def state_gethost(self) -> str:
        """Return the node that runs the job."""
        return self._job.node

    def _tell(self, message: str, progress: int | None) -> None:
        job = self._job
        about = {"job_id": self.job_id, "state": job.state, "reason": job.reason, "node": job.node}
        event: Event = {"message": message, "slurm": about}
        self._story.add(event if progress is None else {**event, "progress": progress})

    # Stopping

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 - JupyterHub's signature
        """Cancel the job and wait until Slurm says that it is gone, for at most stop_timeout.

        Cancelling goes on in the background while Slurm cannot be reached, and after a restart of the hub.
        """
        await self._settled_submission()
        leftover = self._leftover()
        if leftover is None:
            return
        deadline = time.monotonic() + self.stop_timeout
        self._left = True
        ending = self._leave(leftover)
        if not self.job_id:
            return
        await asyncio.wait({ending}, timeout=self.stop_timeout)
        while not now and await self.query_job_status() is not JobStatus.NOTFOUND:
            if time.monotonic() >= deadline:
                self.log.warning("Job %s is cancelled, and Slurm does not say that it is gone yet", self.job_id)
                return
            await asyncio.sleep(min(self.startup_poll_interval, 1.0))

    def _leftover(self) -> Leftover | None:
        """The job that would be lost if it were forgotten now."""
        can_be_named = self.job_id or (self.job_key and self.batch_list_cmd)
        if self._left or self._job.life is Life.GONE or not can_be_named:
            return None
        return Leftover(key=self.job_key, job_id=self.job_id, username=self.req_username)

    async def _settled_submission(self) -> None:
        """Wait for a submission that was under way when the spawn was given up: its job must not be lost."""
        if self._submission is not None and not self._submission.done():
            await asyncio.wait({self._submission})

    # State

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned; the job of a server that JupyterHub has given up already has to end."""
        super().load_state(state)
        given_up = self.orm_spawner is not None and self.orm_spawner.server is None
        if given_up and self._leftover() is not None:
            self.clear_state()
            self._save_state()

    def clear_state(self) -> None:
        """Forget the job, which ends if it has not ended yet."""
        leftover = self._leftover()
        if leftover is not None:
            self._leave(leftover)
        super().clear_state()
        self.job_key = ""
        self._forget_job()

    def _forget_job(self) -> None:
        self._job = Job(life=Life.UNKNOWN)
        self._left = self._may_exist = False
        self._wake.clear()
        self._reported.clear()
        if self._story.begun:
            self._story.end()
            self._story = Story()
