"""A server's life as a Slurm job, as JupyterHub asks for it: start, poll, stop, restore, forget.

Each step on the way has a module, which uses only those before it: keyed, watched, submitted, awaited.
"""

import asyncio
import time
from typing import Any

from batchspawner import JobStatus  # type: ignore[import-untyped]
from traitlets import Float, Unicode

from bricsauthenticator.messages import why_ended
from bricsauthenticator.pending_cancellations import Leftover
from bricsauthenticator.slurm import Life
from bricsauthenticator.startup import AwaitedJobSpawner

START_LOST = "JupyterHub was restarted while the server was starting. Please start it again."


class SlurmJobSpawner(AwaitedJobSpawner):
    """batchspawner's Slurm spawner that believes only Slurm about a job and lets no job outlive its server."""

    stop_timeout = Float(10.0, min=0, help="Seconds to wait for Slurm to say that a cancelled job is gone.").tag(
        config=True
    )

    ended = Unicode(help="Why the last server ended by itself, in a sentence; empty when it was stopped, or runs.")

    _left: bool = False

    async def start(self) -> tuple[str, int]:
        """Submit the job and wait for its server.

        Returns:
            The name of the node and the port that the server listens on.

        Raises:
            ShownError: 503 with a sentence when the job could not be submitted, or ended before its server listened.
        """
        self.ip = self.traits()["ip"].default_value
        self.port = self.traits()["port"].default_value
        if self.server:
            self.server.port = self.port
        self._forget_job()
        self.ended = ""
        try:
            await self._until_submitted()
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

    async def poll(self) -> int | None:
        """Return None while the job lives or Slurm does not say, else 0 for a completed job and 1 for any other.

        A starting hub gets 1, too, for a server whose port its predecessor had yet to learn, or that was being stopped.
        It then stops the server, and does not wait for http_timeout whether it answers.
        """
        if self.pending == "check" and self.server:
            if not self.server.port:
                self.ended = START_LOST
                return 1
            if self._is_left():
                return 1
        if self.pending == "stop" and self._leftover() is not None:
            return None  # JupyterHub then calls stop, which saves what has to end before it asks Slurm anything
        await self._settled_submission()
        if await self.query_job_status(self.poll_interval) is not JobStatus.NOTFOUND:
            return None
        return 0 if self._job.state == "COMPLETED" else 1

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 - JupyterHub's signature
        """Cancel the job and wait until Slurm says that it is gone, for at most stop_timeout.

        Cancelling goes on in the background while Slurm cannot be reached, and after a restart of the hub.

        Args:
            now: Wait only until Slurm has accepted the cancellation.
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
        """Return the job that would be lost if it were forgotten now; None when there is none."""
        can_be_named = self.job_id or (self.job_key and self.batch_list_cmd)
        if self._left or self._job.life is Life.GONE or not can_be_named:
            return None
        return Leftover(key=self.job_key, job_id=self.job_id, username=self.req_username)

    def _is_left(self) -> bool:
        """Whether the job is in the database as one that has to end."""
        own = self._leftover()
        return own is not None and any(map(own.same_as, self._saved_leftovers()))

    def get_state(self) -> dict[str, Any]:
        """Return what a restarted hub needs to know of the job, and of why it ended."""
        return super().get_state() | ({"ended": self.ended} if self.ended else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned, and end the job of a server that JupyterHub has given up already."""
        super().load_state(state)
        self.ended = state.get("ended", "")
        given_up = self.orm_spawner is not None and self.orm_spawner.server is None
        if given_up and self._leftover() is not None:
            self.clear_state()
            self._save_state()

    def clear_state(self) -> None:
        """Forget the job, and let it end in the background if it may still run."""
        leftover = self._leftover()
        if leftover is not None:
            self._leave(leftover)
        if self.job_id and self._job.life is Life.GONE and not self._left:
            self.ended = why_ended(self.job_id, self._job)
        super().clear_state()
        self.job_key = ""
        self._forget_job()

    def _forget_job(self) -> None:
        super()._forget_job()
        self._left = False
