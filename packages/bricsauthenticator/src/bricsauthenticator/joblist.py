"""Slurm's list of jobs, asked for once for all servers that want to know at the same time.

The list has the jobs that wait or run, and only those. A job that is not in it may have ended, be newer than the
list, or be hidden from the account that asks (Slurm's PrivateData): it has to be asked about alone.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bricsauthenticator import commands, slurm
from bricsauthenticator.commands import Outcome

REFUSED_PAUSE_S = 600.0
"""Seconds for which jobs are asked about one by one after a list that the site refuses."""

RECENT_S = 120.0
"""How long a job counts as wanted after it was asked about."""

ENOUGH_TO_SHARE = 2
"""The fewest wanted jobs for which the list is asked for."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One answer to the command that prints the list.

    Attributes:
        begun: When it was asked for, in seconds of the monotonic clock.
        outcome: How the command ended.
        jobs: The rest of each job's line by its id, see slurm.read_listed; empty when the command failed.
    """

    begun: float
    outcome: Outcome
    jobs: Mapping[str, str]

    @property
    def refused(self) -> bool:
        """Whether the site has answered that it does not give the list, as older wrappers do, and not what passes."""
        return not self.outcome.ok and not slurm.is_passing(self.outcome.status, self.outcome.stderr)


class JobList:
    """One command's list of jobs, shared by all who ask.

    Args:
        command: Prints a line `ID ACCOUNT STATE REASON NODE` for each job that has not ended.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._last: Listing | None = None
        self._asking: asyncio.Task[Listing] | None = None
        self._wanted: dict[str, float] = {}
        self._not_before = float("-inf")

    async def look(self, job_id: str, *, max_age_s: float, timeout_s: float) -> Outcome | None:
        """Return what the list says of a job, as if it had been asked about alone.

        Args:
            job_id: The job.
            max_age_s: Greatest age of a list that is used again, in seconds.
            timeout_s: Seconds that the command may take.

        Returns:
            An outcome with the line `STATE REASON NODE`, or a failed one while Slurm cannot be asked; None when the
            job has to be asked about alone.
        """
        now = time.monotonic()
        self._wanted = {wanted: at for wanted, at in self._wanted.items() if now - at < RECENT_S} | {job_id: now}
        if len(self._wanted) < ENOUGH_TO_SHARE or now < self._not_before:
            return None
        listing = await self._begun_after(now - max_age_s, timeout_s)
        if not listing.outcome.ok:
            return None if listing.refused else listing.outcome
        listed = slurm.read_listed(listing.jobs.get(job_id, ""))
        return None if listed is None else Outcome(status=0, stdout=listed.said)

    async def newest(self, *, timeout_s: float) -> Listing | None:
        """Return a list that was begun after this moment; None while the site counts as one without it."""
        now = time.monotonic()
        return None if now < self._not_before else await self._begun_after(now, timeout_s)

    async def _begun_after(self, moment: float, timeout_s: float) -> Listing:
        listing = self._last
        while listing is None or listing.begun < moment:
            if self._asking is None:
                self._asking = asyncio.ensure_future(self._ask(timeout_s))
            asking = self._asking
            await asyncio.wait({asking})  # unlike await, does not end the question when one of many gives up
            listing = asking.result()
        return listing

    async def _ask(self, timeout_s: float) -> Listing:
        begun = time.monotonic()
        try:
            outcome = await commands.run(self._command, timeout_s=timeout_s)
        finally:
            self._asking = None
        jobs = slurm.read_list(outcome.stdout) if outcome.ok else {}
        self._last = listing = Listing(begun=begun, outcome=outcome, jobs=jobs)
        if listing.refused:
            self._not_before = time.monotonic() + REFUSED_PAUSE_S
        return listing
