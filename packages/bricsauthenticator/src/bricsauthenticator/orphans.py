"""Orphan jobs: jobs with this hub's mark that are not in its database.

They appear, for example, when an older database is restored.

Each job's key is in the database before the job is in the queue. A job whose key is missing there belongs to no server
and never will: the server's token, which was saved together with the key, is missing too.
"""

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]

from bricsauthenticator import joblist, pending_cancellations, slurm
from bricsauthenticator.joblist import Listing
from bricsauthenticator.projects import is_account
from bricsauthenticator.slurm_commands import SlurmCommands

SUDO_REFUSAL_RE = re.compile(r"^sudo(-rs)?: ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class KnownJobs:
    """The jobs in the database.

    Attributes:
        job_ids: Their ids, as far as the database has them.
        keys: Their keys, which jobs of older versions do not have.
    """

    job_ids: frozenset[str]
    keys: frozenset[str]

    def has(self, job_id: str, key: str) -> bool:
        """Whether a job is among them."""
        return job_id in self.job_ids or key in self.keys


def known_jobs(database: Any) -> KnownJobs:  # noqa: ANN401 - an SQLAlchemy session
    """Return the jobs of all servers and all pending cancellations."""
    states = [row.state for row in database.query(orm.Spawner) if row.state]
    pending = [job for state in states for job in pending_cancellations.from_state(state)]
    return KnownJobs(
        job_ids=frozenset([*(state.get("job_id", "") for state in states), *(job.job_id for job in pending)]),
        keys=frozenset([*(state.get("job_key", "") for state in states), *(job.key for job in pending)]),
    )


async def watch(app: Any) -> None:  # noqa: ANN401 - JupyterHub's application
    """Search for orphan jobs now and at the site's interval.

    Returns at once if the interval is 0.
    """
    search = OrphanSearch(app)
    while search.interval_s:
        try:
            await search.run_once()
        except Exception:
            app.log.exception("Jobs without a server could not be looked for")
        await asyncio.sleep(search.interval_s)


class OrphanSearch:
    """The search of one hub.

    A job that may be wanted stays: a job of another hub or of no hub, and a job that Slurm does not show.

    Args:
        app: JupyterHub's application.
    """

    def __init__(self, app: Any) -> None:  # noqa: ANN401
        self._app = app
        self._log = app.log
        agent = self._agent("")
        self._list_all: str = agent.query_all_cmd
        self.interval_s: float = agent.orphans_interval if agent.batch_list_cmd and self._list_all else 0.0
        self._mark = slurm.hub_mark(app.cookie_secret, agent.hub_connect_url or "")
        self._ignored_jobs: set[str] = set()
        self._refused_accounts: set[str] = set()  # sudo does not allow the hub to act as these
        self._logged_reasons: set[str] = set()

    def _agent(self, account: str) -> Any:  # noqa: ANN401 - the site's spawner
        # A spawner without a user, because the database may not know the account's user.
        return self._app.spawner_class(config=self._app.config, user=None, req_username=account, req_keepvars="")

    def _commands(self, account: str) -> SlurmCommands:
        commands: SlurmCommands = self._agent(account).slurm_commands()
        return commands

    async def run_once(self) -> None:
        """List all jobs of Slurm, check the unknown ones, and cancel the orphan jobs.

        Costs one command, and one more for each account with a job that was never checked.
        """
        before = known_jobs(self._app.db)
        listing = await joblist.shared_list(self._list_all).newest(timeout_s=self._commands("").timeout_s)
        if listing is None or not self._is_usable(listing):
            return
        self._ignored_jobs &= listing.jobs.keys()
        unknown: dict[str, set[str]] = defaultdict(set)
        for job_id in listing.jobs.keys() - self._ignored_jobs - before.job_ids:
            if (account := self._account(job_id, listing)) is not None:
                unknown[account].add(job_id)
        for account, job_ids in unknown.items():
            await self._check_account(account, job_ids, before)

    def _is_usable(self, listing: Listing) -> bool:
        if listing.is_unsupported:
            self._log_once("the site does not give the list of all jobs")
        elif listing.jobs and not any(job and job.account for job in map(slurm.read_list_entry, listing.jobs.values())):
            self._log_once("the site's list of all jobs does not say whose they are")
        else:
            return listing.outcome.ok
        return False

    def _account(self, job_id: str, listing: Listing) -> str | None:
        """Return a job's account.

        The result is None when the account cannot have a server, or when the job is ending already.
        """
        job = slurm.read_list_entry(listing.jobs[job_id])
        if job is None:
            return None
        if is_account(job.account) and job.account not in self._refused_accounts:
            return job.account
        self._ignored_jobs.add(job_id)
        return None

    async def _check_account(self, account: str, job_ids: set[str], before: KnownJobs) -> None:
        """Read the comments of an account's jobs as that account, and cancel its orphan jobs.

        An account can forge the comments of its own jobs only, so it can harm no other account.
        """
        commands = self._commands(account)
        outcome = await commands.list_jobs(account)
        if not outcome.ok:
            if SUDO_REFUSAL_RE.search(outcome.stderr):  # any other failure may be transient
                self._refused_accounts.add(account)
                self._log.info("Jobs of %s are left alone: %s", account, outcome.complaint)
            return
        keys = slurm.read_keys(outcome.stdout)
        # A job submitted since then is known now, and a job cancelled since then was known before.
        now = known_jobs(self._app.db)
        for job_id in sorted(job_ids):
            key = keys.get(job_id, "")
            if not key.startswith(self._mark):
                self._ignored_jobs.add(job_id)
            elif not before.has(job_id, key) and not now.has(job_id, key):
                await self._cancel(commands, job_id, account)

    async def _cancel(self, commands: SlurmCommands, job_id: str, account: str) -> None:
        self._log.warning("Job %s of %s is this hub's, and no server has it: it has to end", job_id, account)
        if complaint := await commands.cancel_job(job_id, account):
            self._log.warning("Job %s is not cancelled yet: %s", job_id, complaint)

    def _log_once(self, reason: str) -> None:
        if reason not in self._logged_reasons:
            self._logged_reasons.add(reason)
            self._log.info("Jobs without a server are not looked for: %s", reason)
