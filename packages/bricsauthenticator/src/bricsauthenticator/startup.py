"""Waiting until a submitted job's server listens, or the job is over."""

import asyncio
from contextlib import suppress
from typing import Any

from batchspawner import JobStatus  # type: ignore[import-untyped]
from traitlets import Float, observe

from bricsauthenticator import commands
from bricsauthenticator.http_errors import failed
from bricsauthenticator.messages import silent, situation
from bricsauthenticator.submission import SubmittedJobSpawner

CONNECT_INTERVAL_S = 0.05
SOON_S = 1.0


class AwaitedJobSpawner(SubmittedJobSpawner):
    """A spawner that is woken when its job reports a port, instead of looking at intervals only."""

    answer_timeout = Float(
        300,
        config=True,
        help="""
        Seconds for which a job that has reported its port may take until its server answers: minutes, where many start
        at once or the file system is slow. Not http_timeout, for which a new hub waits for a server that is gone.
        """,
    )

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        self._wake = asyncio.Event()
        self._reported = asyncio.Event()
        super().__init__(**kwargs)

    async def _until_listening(self) -> None:
        """Wait until the server listens; fail when the job ends before, or answer_timeout is over after its report."""
        watch = asyncio.ensure_future(self._watch())
        listening = asyncio.ensure_future(self._connected())
        try:
            await asyncio.wait({watch, listening}, return_when=asyncio.FIRST_COMPLETED)
            for done in (watch, listening):  # what Slurm says of the job is the better reason
                if done.done():
                    done.result()
        finally:
            watch.cancel()
            listening.cancel()
            await asyncio.gather(watch, listening, return_exceptions=True)

    async def _connected(self) -> None:
        """Wait for the report of the port, then try to connect to it until that succeeds; fail after answer_timeout.

        The job reports its port before it starts the server. JupyterHub looks for the server at growing intervals, and
        would lose a second or more, and does not notice a job that ends meanwhile.
        """
        await self._reported.wait()
        try:
            async with asyncio.timeout(self.answer_timeout):
                while not await commands.listens(self._job.node, self.port):  # noqa: ASYNC110 - the other end is another process
                    await asyncio.sleep(CONNECT_INTERVAL_S)
        except TimeoutError:
            raise failed(silent(self.job_id, self._job, self.answer_timeout)) from None

    async def _watch(self) -> None:
        """Ask Slurm every startup_poll_interval, and at once when the port is reported; fail when the job is over."""
        max_age_s = 0.0
        while True:
            self._wake.clear()
            if await self.query_job_status(max_age_s) is JobStatus.NOTFOUND:
                raise failed(situation(self.job_id, self._job))
            self._check_reported()
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

    def _forget_job(self) -> None:
        super()._forget_job()
        self._wake.clear()
        self._reported.clear()
