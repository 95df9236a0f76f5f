"""The wait between a job's submission and the moment when its server accepts connections."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from batchspawner import JobStatus  # type: ignore[import-untyped]

from bricsauthenticator import commands
from bricsauthenticator.http_errors import spawn_failure
from bricsauthenticator.messages import no_answer, situation
from bricsauthenticator.slurm import Job

CONNECT_INTERVAL_S = 0.05
LONGEST_REUSE_S = 1.0


@dataclass(kw_only=True)
class StartupWatch:
    """Watches a job until its server listens.

    The report of the port ends the pause between two queries.

    Attributes:
        query: Queries Slurm about the job; takes the maximum age of an answer that may be reused, in seconds.
        job: Returns the job as Slurm last described it.
        job_id: Returns the job's id.
        port: Returns the port that the job has reported; 0 before.
        poll_interval_s: Returns the pause between two queries, in seconds.
        answer_timeout_s: Returns how long the server may take to listen after its port is reported, in seconds.
    """

    query: Callable[[float], Awaitable[JobStatus]]
    job: Callable[[], Job]
    job_id: Callable[[], str]
    port: Callable[[], int]
    poll_interval_s: Callable[[], float]
    answer_timeout_s: Callable[[], float]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _has_address: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        """Prepare for the next job."""
        self._wake.clear()
        self._has_address.clear()

    def notice_port(self) -> None:
        """Query Slurm at once if the node is unknown, and connect if node and port are known."""
        if self.port():
            self._wake.set()
            self._check_address()

    async def until_listening(self) -> None:
        """Wait until the server listens.

        Raises:
            ShownError: 503 with a sentence when the job ends before, or the time limit passes.
        """
        watch = asyncio.ensure_future(self._watch_job())
        connection = asyncio.ensure_future(self._connect())
        try:
            await asyncio.wait({watch, connection}, return_when=asyncio.FIRST_COMPLETED)
            for task in (watch, connection):  # Slurm's reason is the better one, so it comes first
                if task.done():
                    task.result()
        finally:
            watch.cancel()
            connection.cancel()
            await asyncio.gather(watch, connection, return_exceptions=True)

    async def _connect(self) -> None:
        """Wait for node and port, then try to connect until the time limit.

        The job reports its port before it starts the server. JupyterHub checks the server at growing intervals, which
        would cost a second or more, and does not notice a job that ends meanwhile.
        """
        await self._has_address.wait()
        limit_s = self.answer_timeout_s()
        try:
            async with asyncio.timeout(limit_s):
                while not await commands.listens(self.job().node, self.port()):  # noqa: ASYNC110 - the other end is another process
                    await asyncio.sleep(CONNECT_INTERVAL_S)
        except TimeoutError:
            raise spawn_failure(no_answer(self.job_id(), self.job(), limit_s)) from None

    async def _watch_job(self) -> None:
        """Query Slurm at intervals and when the port is reported.

        Fails when the job is over.
        """
        max_age_s = 0.0
        while True:
            self._wake.clear()
            if await self.query(max_age_s) is JobStatus.NOTFOUND:
                raise spawn_failure(situation(self.job_id(), self.job()))
            self._check_address()
            # Not wait_for, which in Python 3.11 loses a cancellation that arrives together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_interval_s()):
                    await self._wake.wait()
            max_age_s = 0.0 if self._wake.is_set() else min(self.poll_interval_s() / 2, LONGEST_REUSE_S)

    def _check_address(self) -> None:
        if self.port() and self.job().node:
            self._has_address.set()
