"""Pool of users that tests lease, so that tests on one stack do not interfere."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubError
from hubpod.errors import HubpodError
from hubpod_harness.hub import GONE, Hub
from hubpod_harness.slurm import SlurmError, SlurmProbe
from hubpod_harness.users import User

CLEAN_DEADLINE_S = 60.0
POLL_INTERVAL_S = 0.1
CLEANERS = 4
STARTING = "spawn"
"""JupyterHub's word for the pending action of a server that starts."""


class PoolExhaustedError(HubpodError):
    """A test requested more users than the stack has."""


class CleanupError(HubError):
    """A server or job of an earlier test does not end.

    The message names the earlier test, because a later test fails.
    """


class UserPool:
    """The users of one stack.

    Args:
        users: All users, in the order of leases.
        hub: The hub that runs their servers.
        slurm: The Slurm that runs their jobs.
    """

    def __init__(self, users: Iterable[User], *, hub: Hub, slurm: SlurmProbe) -> None:
        self._free = list(users)
        self._hub = hub
        self._slurm = slurm
        self._cleaners = ThreadPoolExecutor(CLEANERS)
        self._cleaning: dict[Future[None], tuple[User, str]] = {}
        self._cleaned: list[tuple[User, str]] = []
        self._lost: list[str] = []

    def lease(self, count: int = 1) -> list[User]:
        """Lease free users, and wait for released ones if necessary.

        Raises:
            PoolExhaustedError: There are not enough users.
            CleanupError: A server or a job of an earlier lease does not end.
        """
        if count > len(self._free):
            self.settle()
        if count > len(self._free):
            raise PoolExhaustedError(
                f"{count} users are requested, but {len(self._free)} are free",
                detail=self._lost,
                remedy="mend the tests whose servers do not end" if self._lost else "lease fewer users at a time",
            )
        leased, self._free = self._free[:count], self._free[count:]
        return leased

    def release(self, users: Iterable[User], *, of: str) -> None:
        """Stop the users' servers and delete the users at the hub, while the next test begins.

        Args:
            users: The leased users.
            of: Name of the test that leased them.
        """
        for user in users:
            self._cleaning[self._cleaners.submit(self._clean, user)] = (user, of)

    def settle(self) -> None:
        """Wait until all released users are free again: before a fault, or when the pool is empty.

        Raises:
            CleanupError: A server or a job does not end; the message names its test.
        """
        while self._cleaning:
            future, (user, of) = self._cleaning.popitem()
            if error := future.exception():
                self._lost.append(f"servers of {user.name}, left by {of}, do not end: {error}")
                raise CleanupError(self._lost[-1]) from error
            self._cleaned.append((user, of))
        if self._cleaned:
            self._cancel_remaining_jobs()
            self._free += [user for user, _ in self._cleaned]
            self._cleaned.clear()

    def _clean(self, user: User) -> None:
        if self._hub.admin("GET", f"users/{user.name}").status_code != GONE:
            self._stop_servers(user)
            self._hub.admin("DELETE", f"users/{user.name}")

    def _stop_servers(self, user: User) -> None:
        """Stop the user's servers; the hub stops no server that is starting, so its job is cancelled.

        Raises:
            HubTimeoutError: A server does not end; the message names its state.
        """
        deadline = Deadline(CLEAN_DEADLINE_S, f"the end of the servers of {user.name}")
        while servers := self._hub.servers_of(user.name):
            pending = {name: server["pending"] for name, server in servers.items()}
            for name in (name for name, state in pending.items() if state is None):
                path = f"users/{user.name}/servers/{name}" if name else f"users/{user.name}/server"
                self._hub.admin("DELETE", path)
            if STARTING in pending.values():
                with suppress(SlurmError):  # a Slurm that a test has stopped may come back before the deadline
                    self._cancel_jobs(user)
            states = ", ".join(f"{name or 'the default server'}: {state or 'ready'}" for name, state in pending.items())
            deadline.what = f"the end of the servers of {user.name} ({states})"
            deadline.pause(POLL_INTERVAL_S)

    def _cancel_jobs(self, user: User) -> None:
        accounts = {user.account(project) for project in user.projects}
        for job in self._slurm.jobs():
            if job.user in accounts:
                self._slurm.cancel(job.id)

    def _cancel_remaining_jobs(self) -> None:
        """Cancel the remaining jobs of stopped servers, with one query for all users."""
        owners = {user.account(project): of for user, of in self._cleaned for project in user.projects}
        for job in self._slurm.jobs():
            if of := owners.get(job.user):
                self._slurm.cancel(job.id)
                try:
                    self._slurm.wait_until_no_jobs(job.user)
                except HubpodError as error:
                    raise CleanupError(f"{of} has left {job}, which does not end: {error}") from error
