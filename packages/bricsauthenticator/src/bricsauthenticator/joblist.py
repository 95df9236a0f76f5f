"""Slurm's list of all jobs, printed once for all servers that query Slurm at the same time.

The list has only jobs that wait or run. A job that is missing may have ended, may be newer than the list, or may be
hidden from the account that lists them (Slurm's PrivateData): it must be queried alone.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bricsauthenticator import commands, slurm
from bricsauthenticator.commands import Outcome

UNSUPPORTED_PAUSE_S = 600.0
"""Seconds for which jobs are queried one by one after the site has refused the list."""

RECENT_S = 120.0
"""How long a job counts as wanted after a query about it, in seconds."""

MIN_JOBS_TO_SHARE = 2
"""The smallest number of wanted jobs for which the list is printed."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One output of the command that prints the list.

    Attributes:
        start: When the command started, in seconds of the monotonic clock.
        outcome: How the command ended.
        jobs: The rest of each job's line by its id, see slurm.read_list_entry; empty when the command failed.
    """

    start: float
    outcome: Outcome
    jobs: Mapping[str, str]

    @property
    def is_unsupported(self) -> bool:
        """Whether the site does not support the list, as opposed to a transient failure.

        Older wrappers do not support it.
        """
        return not self.outcome.ok and not slurm.is_transient(self.outcome.status, self.outcome.stderr)


class JobList:
    """The list of jobs of one command, shared by all servers.

    Args:
        command: Prints a line for each job that has not ended, see slurm.read_list.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._last: Listing | None = None
        self._query: asyncio.Task[Listing] | None = None
        self._wanted: dict[str, float] = {}
        self._not_before = float("-inf")

    async def find(
        self, job_id: str, *, max_age_s: float, timeout_s: float, even_alone: bool = False
    ) -> Outcome | None:
        """Find a job in the list.

        Args:
            job_id: The job.
            max_age_s: Maximum age of a list that is reused, in seconds.
            timeout_s: Time limit of the command, in seconds.
            even_alone: Print the list for a single wanted job, too.

        Returns:
            An outcome with a line as of a query about the job alone; a failed outcome while
            Slurm cannot be reached; None when the job must be queried alone.
        """
        now = time.monotonic()
        self._wanted = {wanted: at for wanted, at in self._wanted.items() if now - at < RECENT_S} | {job_id: now}
        if (len(self._wanted) < MIN_JOBS_TO_SHARE and not even_alone) or now < self._not_before:
            return None
        listing = await self._started_after(now - max_age_s, timeout_s)
        if not listing.outcome.ok:
            return None if listing.is_unsupported else listing.outcome
        entry = slurm.read_list_entry(listing.jobs.get(job_id, ""), job_id)
        return None if entry is None else Outcome(status=0, stdout=entry.status)

    async def newest(self, *, timeout_s: float) -> Listing | None:
        """Return a list whose command starts after this call.

        The result is None while the site counts as one without the list.
        """
        now = time.monotonic()
        return None if now < self._not_before else await self._started_after(now, timeout_s)

    async def _started_after(self, moment: float, timeout_s: float) -> Listing:
        listing = self._last
        while listing is None or listing.start < moment:
            if self._query is None:
                self._query = asyncio.ensure_future(self._run(timeout_s))
            query = self._query
            await asyncio.wait({query})  # unlike await, does not cancel the query when one of many callers gives up
            listing = query.result()
        return listing

    async def _run(self, timeout_s: float) -> Listing:
        start = time.monotonic()
        try:
            outcome = await commands.run(self._command, timeout_s=timeout_s)
        finally:
            self._query = None
        jobs = slurm.read_list(outcome.stdout) if outcome.ok else {}
        self._last = listing = Listing(start=start, outcome=outcome, jobs=jobs)
        if listing.is_unsupported:
            self._not_before = time.monotonic() + UNSUPPORTED_PAUSE_S
        return listing


@cache
def shared_list(command: str) -> JobList:
    """Return the one JobList of a command."""
    return JobList(command)
