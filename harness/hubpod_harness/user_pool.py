"""Users are leased to tests, so that tests share a stack and yet never meet."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubError
from hubpod.errors import HubpodError
from hubpod_harness.hub import GONE, Hub
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.users import User

CLEAN_DEADLINE_S = 60.0
LOOK_AGAIN_S = 0.1
CLEANERS = 4


class PoolExhaustedError(HubpodError):
    """A test wants more users than the stack has."""


class CleanupError(HubError):
    """What a test has left does not end; told to a later one, which is not to blame."""


class UserPool:
    """The users of one stack.

    Args:
        users: All of them, in the order in which they are leased.
        hub: Where they have servers.
        slurm: Where they have jobs.
    """

    def __init__(self, users: Iterable[User], *, hub: Hub, slurm: SlurmProbe) -> None:
        self._free = list(users)
        self._hub = hub
        self._slurm = slurm
        self._cleaners = ThreadPoolExecutor(CLEANERS)
        self._cleaning: dict[Future[None], tuple[User, str]] = {}
        self._cleaned: list[tuple[User, str]] = []

    def lease(self, count: int = 1) -> list[User]:
        """Take users that nobody else has, waiting for those that were given back.

        Raises:
            PoolExhaustedError: There are not as many left.
            CleanupError: A server or a job of an earlier lease does not end.
        """
        if count > len(self._free):
            self.settle()
        if count > len(self._free):
            raise PoolExhaustedError(
                f"{count} users were asked for, and {len(self._free)} are free", remedy="lease fewer at a time"
            )
        leased, self._free = self._free[:count], self._free[count:]
        return leased

    def release(self, users: Iterable[User], *, of: str) -> None:
        """End what the users still have running, and make the hub forget them, while the next test begins.

        Args:
            users: Those who were leased.
            of: Who had them: the test's name.
        """
        for user in users:
            self._cleaning[self._cleaners.submit(self._clean, user)] = (user, of)

    def settle(self) -> None:
        """Wait until all that were given back are free again: before a fault, or when there are no others.

        Raises:
            CleanupError: A server or a job does not end; says whose it was.
        """
        while self._cleaning:
            future, (user, of) = self._cleaning.popitem()
            if error := future.exception():
                raise CleanupError(f"{of} has left {user.name} with something that does not end: {error}") from error
            self._cleaned.append((user, of))
        if self._cleaned:
            self._cancel_jobs()
            self._free += [user for user, _ in self._cleaned]
            self._cleaned.clear()

    def _clean(self, user: User) -> None:
        if self._hub.admin("GET", f"users/{user.name}").status_code != GONE:
            self._stop_servers(user)
            self._hub.admin("DELETE", f"users/{user.name}")

    def _stop_servers(self, user: User) -> None:
        deadline = Deadline(CLEAN_DEADLINE_S, f"the end of the servers of {user.name}")
        while servers := self._hub.servers_of(user.name):
            for name, server in servers.items():
                if server["pending"] is None:
                    path = f"users/{user.name}/servers/{name}" if name else f"users/{user.name}/server"
                    self._hub.admin("DELETE", path)
            deadline.pause(LOOK_AGAIN_S)

    def _cancel_jobs(self) -> None:
        """End what is left although the servers have ended: once for many users, as each question takes a moment."""
        owners = {user.account(project): of for user, of in self._cleaned for project in user.projects}
        for job in self._slurm.jobs():
            if of := owners.get(job.user):
                self._slurm.cancel(job.id)
                try:
                    self._slurm.wait_until_no_jobs(job.user)
                except HubpodError as error:
                    raise CleanupError(f"{of} has left {job}, which does not end: {error}") from error
