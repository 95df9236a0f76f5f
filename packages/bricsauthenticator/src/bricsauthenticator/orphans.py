"""Orphans: jobs that carry this hub's mark and that its database does not know, as when an older one was restored.

Each job's key is in the database before the job is in the queue. One whose key is nowhere in it belongs to no server
and never will: the server's token, which was written down with the key, is not there either.
"""

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]

from bricsauthenticator import pending_cancellations, slurm
from bricsauthenticator.joblist import Listing
from bricsauthenticator.projects import is_account

ENDING = "COMPLETING"
REFUSED_RE = re.compile(r"^sudo: ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Known:
    """The jobs that the database knows.

    Attributes:
        job_ids: Their ids, as far as it has them.
        keys: Their keys, which jobs of older versions do not have.
    """

    job_ids: frozenset[str]
    keys: frozenset[str]

    def has(self, job_id: str, key: str) -> bool:
        """Whether the job is among them."""
        return job_id in self.job_ids or key in self.keys


def known_jobs(database: Any) -> Known:  # noqa: ANN401 - a session of SQLAlchemy's
    """Return the jobs of all servers, those included that have to end."""
    states = [row.state for row in database.query(orm.Spawner) if row.state]
    left = [leftover for state in states for leftover in pending_cancellations.in_state(state)]
    return Known(
        job_ids=frozenset([*(state.get("job_id", "") for state in states), *(each.job_id for each in left)]),
        keys=frozenset([*(state.get("job_key", "") for state in states), *(each.key for each in left)]),
    )


async def watch(app: Any) -> None:  # noqa: ANN401 - JupyterHub's application
    """Look for orphans, now and as often as the site wants; returns at once where it does not."""
    search = OrphanSearch(app)
    while search.interval_s:
        try:
            await search.once()
        except Exception:
            app.log.exception("Jobs without a server could not be looked for")
        await asyncio.sleep(search.interval_s)


class OrphanSearch:
    """One hub's search. What is in doubt is let alone: jobs that are not asked about, not shown, or of other hubs.

    Args:
        app: JupyterHub's application.
    """

    def __init__(self, app: Any) -> None:  # noqa: ANN401
        self._app = app
        self._log = app.log
        # Without a person: what speaks to Slurm for an account of which the database may know nobody.
        agent = self._agent("")
        self.interval_s: float = agent.orphans_interval if agent.batch_list_cmd and agent.query_all_cmd else 0.0
        self._mark = slurm.hub_mark(app.cookie_secret, agent.hub_connect_url or "")
        self._let_alone: set[str] = set()  # jobs
        self._strangers: set[str] = set()  # accounts that the hub may not ask as
        self._told: set[str] = set()

    def _agent(self, account: str) -> Any:  # noqa: ANN401 - the site's spawner
        return self._app.spawner_class(config=self._app.config, user=None, req_username=account, req_keepvars="")

    async def once(self) -> None:
        """Ask Slurm for all jobs, look at those of accounts that the database does not know, and end the orphans.

        Costs one question, and one more for each account that has a job which was never looked at.
        """
        before = known_jobs(self._app.db)
        listing = await self._agent("").list_all()
        if listing is None or not self._usable(listing):
            return
        self._let_alone &= listing.jobs.keys()
        strange: dict[str, set[str]] = defaultdict(set)
        for job_id in listing.jobs.keys() - self._let_alone - before.job_ids:
            if (account := self._account(job_id, listing)) is not None:
                strange[account].add(job_id)
        for account, job_ids in strange.items():
            await self._look_at(account, job_ids, before)

    def _usable(self, listing: Listing) -> bool:
        if listing.refused:
            self._tell_once("the site does not give the list of all jobs")
        elif listing.jobs and not any(job and job.account for job in map(slurm.read_listed, listing.jobs.values())):
            self._tell_once("the site's list of all jobs does not say whose they are")
        else:
            return listing.outcome.ok
        return False

    def _account(self, job_id: str, listing: Listing) -> str | None:
        """Return whose job it is; None when that cannot be anybody with a server, or the job ends already."""
        job = slurm.read_listed(listing.jobs[job_id])
        if job is None or job.said.startswith(ENDING):
            return None
        if is_account(job.account) and job.account not in self._strangers:
            return job.account
        self._let_alone.add(job_id)
        return None

    async def _look_at(self, account: str, job_ids: set[str], before: Known) -> None:
        """Read the account's own word for its jobs, with which it can harm no other, and end those that are orphans."""
        agent = self._agent(account)
        outcome = await agent.list_own(account)
        if not outcome.ok:
            if REFUSED_RE.search(outcome.stderr):  # anything else may pass
                self._strangers.add(account)
                self._log.info("Jobs of %s are let alone: %s", account, outcome.complaint)
            return
        keys = slurm.read_keys(outcome.stdout)
        # A job that was submitted since is known now, and one that was ended since was known before.
        now = known_jobs(self._app.db)
        for job_id in sorted(job_ids):
            key = keys.get(job_id, "")
            if not key.startswith(self._mark):
                self._let_alone.add(job_id)
            elif not before.has(job_id, key) and not now.has(job_id, key):
                await self._end(agent, job_id, account)

    async def _end(self, agent: Any, job_id: str, account: str) -> None:  # noqa: ANN401
        self._log.warning("Job %s of %s is this hub's, and no server has it: it has to end", job_id, account)
        if complaint := await agent.cancel(job_id, account):
            self._log.warning("Job %s is not cancelled yet: %s", job_id, complaint)

    def _tell_once(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._log.info("Jobs without a server are not looked for: %s", why)
