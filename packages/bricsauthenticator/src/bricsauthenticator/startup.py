"""The wait between a job's submission and the moment when its server answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from batchspawner import JobStatus  # type: ignore[import-untyped]

from bricsauthenticator import commands
from bricsauthenticator.job_states import Job, Life

CONNECT_INTERVAL_S = 0.05
LONGEST_REUSE_S = 1.0
REFUSAL_GRACE_S = 3.0
"""Seconds in which a job may report a valid port after the hub has refused its report."""


class Limits(Protocol):
    """The spawner's settings for a start, in seconds.

    Attributes:
        startup_poll_interval: Pause between two queries.
        queue_timeout: How long the job may wait in the queue.
        launch_timeout: How long a running job may take to report its port.
        answer_timeout: How long the server may take to answer after its port is reported.
    """

    startup_poll_interval: float
    queue_timeout: float
    launch_timeout: float
    answer_timeout: float


class JobEndedError(Exception):
    """The job has ended before its server answered."""


class OverdueError(Exception):
    """A start has taken too long, or the hub has refused the report of the port.

    Attributes:
        name: The name of the row in the table of ends.
        waited_s: How long the hub has waited, in seconds.
        why: The reason of a refusal.
    """

    def __init__(self, name: str, waited_s: float, why: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.waited_s = waited_s
        self.why = why


@dataclass(kw_only=True)
class StartupWatch:
    """Watches a job until its server answers.

    The report of the port ends the pause between two queries.

    Attributes:
        query: Queries Slurm about the job; takes the maximum age of an answer that may be reused, in seconds.
        job: Returns the job as Slurm last described it.
        port: Returns the port that the job has reported; 0 before.
        find_address: Returns the address at which the hub reaches a node; empty while Slurm does not answer.
        settings: The limits.
        address: The address at which the server has answered; empty before.
    """

    query: Callable[[float], Awaitable[JobStatus]]
    job: Callable[[], Job]
    port: Callable[[], int]
    find_address: Callable[[str], Awaitable[str]]
    settings: Limits
    address: str = ""
    _refusal: str = ""
    _refused_at: float = 0.0
    _life: Life = Life.UNKNOWN
    _since: float = 0.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _has_address: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        """Prepare for the next job."""
        self._wake.clear()
        self._has_address.clear()
        self.address = ""
        self._refusal = ""
        self._life, self._since = Life.UNKNOWN, time.monotonic()

    def notice_port(self) -> None:
        """Query Slurm at once if the node is unknown, and connect if node and port are known."""
        if self.port():
            self._wake.set()
            self._check_address()

    def notice_refusal(self, why: str) -> None:
        """End the start soon, unless the job reports a valid port after all."""
        self._refusal, self._refused_at = why, time.monotonic()
        self._wake.set()

    def overdue_now(self) -> OverdueError:
        """Return the error of a start that has used up JupyterHub's own limit, by what the job is waiting for."""
        return OverdueError(self._waits_for(), time.monotonic() - self._since)

    def _waits_for(self) -> str:
        if self.port():
            return "answer_timeout"
        return {Life.PENDING: "queue_timeout", Life.UNKNOWN: "silent_timeout"}.get(self._life, "launch_timeout")

    async def until_listening(self) -> None:
        """Wait until the server answers.

        Raises:
            JobEndedError: The job ended before.
            OverdueError: A limit passed, or the hub refused the report of the port.
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
        """Wait for node and port, then try to get an answer until the time limit.

        The job reports its port before it starts the server. JupyterHub checks the server at growing intervals, which
        would cost a second or more, and does not notice a job that ends meanwhile.
        """
        await self._has_address.wait()
        limit_s = self.settings.answer_timeout
        try:
            async with asyncio.timeout(limit_s):
                while not (address := await self.find_address(self.job().node)):  # noqa: ASYNC110 - as below
                    await asyncio.sleep(self.settings.startup_poll_interval)
                while not await commands.listens(address, self.port()):  # noqa: ASYNC110 - the other end is another process
                    await asyncio.sleep(CONNECT_INTERVAL_S)
        except TimeoutError:
            raise OverdueError("answer_timeout", limit_s) from None
        self.address = address

    async def _watch_job(self) -> None:
        """Query Slurm at intervals and when the port is reported, until the job is over or late."""
        max_age_s = 0.0
        self._since = time.monotonic()
        while True:
            self._wake.clear()
            if await self.query(max_age_s) is JobStatus.NOTFOUND:
                raise JobEndedError
            self._check_address()
            poll_interval_s = self.settings.startup_poll_interval
            # Not wait_for, which in Python 3.11 loses a cancellation that arrives together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(poll_interval_s, self._check_limits())):
                    await self._wake.wait()
            max_age_s = 0.0 if self._wake.is_set() else min(poll_interval_s / 2, LONGEST_REUSE_S)

    def _check_limits(self) -> float:
        """Return the time until the next limit passes, in seconds.

        A wait in the queue, even a second one, takes nothing from the time for the launch.

        Raises:
            OverdueError: A limit has passed.
        """
        now, life = time.monotonic(), self.job().life
        if life is not self._life:
            self._life, self._since = life, now
        limits = {Life.PENDING: self.settings.queue_timeout, Life.RUNNING: self.settings.launch_timeout}
        limit_s = limits.get(life, float("inf"))
        remaining_s = float("inf") if self.port() else self._since + limit_s - now
        if self._refusal and not self.port():
            remaining_s = min(remaining_s, self._refused_at + REFUSAL_GRACE_S - now)
        if remaining_s > 0:
            return remaining_s
        if self._refusal:
            raise OverdueError("report_refused", now - self._refused_at, self._refusal)
        raise OverdueError(self._waits_for(), limit_s)

    def _check_address(self) -> None:
        if self.port() and self.job().node:
            self._has_address.set()
