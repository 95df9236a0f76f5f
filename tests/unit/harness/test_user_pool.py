"""The pool of users: servers of released users end, and errors name the test that left resources behind."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
import requests

from hubpod.system.process import Result
from hubpod_harness import user_pool
from hubpod_harness.hub import Hub
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.user_pool import CleanupError, PoolExhaustedError, UserPool
from hubpod_harness.users import User

UNUSED_URL = "http://127.0.0.1:9"  # the port of the discard service, which no machine runs any more
USER = User(name="user01", projects=("project1",))


def test_leftovers_are_reported_with_the_name_of_their_test() -> None:
    """An error about a server that does not stop names the earlier test and the obstacle."""
    hub = Hub(UNUSED_URL, observer="", log=str, issuer=None, password="")
    pool = UserPool(
        [USER], hub=hub, slurm=SlurmProbe(lambda argv: Result(argv=tuple(argv), returncode=0), str, "node1")
    )
    pool.release(pool.lease(), of="test_one")

    with pytest.raises(CleanupError) as error:
        pool.settle()

    assert error.value.message.startswith("servers of user01, left by test_one, do not end: ")
    assert "refused" in error.value.message
    pool.settle()  # the error is raised once


JOB = "JobId=7 JobName=spawner-jupyterhub UserId=user01.project1(20001) JobState=PENDING Reason=Resources\n"
OTHERS_JOB = "JobId=8 JobName=spawner-jupyterhub UserId=user02.project1(20002) JobState=PENDING Reason=Resources\n"


@dataclass
class StartingServer:
    """A hub and its Slurm with one server that waits for its job, and that the hub refuses to stop.

    Attributes:
        jobs: The lines of `scontrol show job`, by job id.
        ends: Whether the server ends with its job.
    """

    jobs: dict[str, str] = field(default_factory=lambda: {"7": JOB, "8": OTHERS_JOB})
    ends: bool = True

    @property
    def hub(self) -> Hub:
        """The hub."""
        return UnstoppableHub(self)

    @property
    def slurm(self) -> SlurmProbe:
        """Its Slurm."""
        return SlurmProbe(self._execute, str, "node1")

    def _execute(self, argv: Any) -> Result:
        argv = tuple(argv)
        match argv[-4:]:
            case ("scontrol", "show", "job", "--oneliner"):
                return Result(argv=argv, returncode=0, stdout="".join(self.jobs.values()))
            case ("show", "job", number, "--oneliner"):
                return Result(argv=argv, returncode=0, stdout=self.jobs[number])
        assert argv[-2] == "scancel"
        self.jobs.pop(argv[-1])
        return Result(argv=argv, returncode=0)


class UnstoppableHub(Hub):
    """The hub of a StartingServer."""

    def __init__(self, of: StartingServer) -> None:
        super().__init__(UNUSED_URL, observer="", log=str, issuer=None, password="")
        self._of = of

    def admin(self, *_: object, **__: object) -> requests.Response:
        """Refuse, as JupyterHub does while a server starts."""
        response = requests.Response()
        response.status_code = HTTPStatus.BAD_REQUEST
        return response

    def servers_of(self, _name: str) -> dict[str, dict[str, Any]]:
        """Return the server, until its job has ended."""
        return {"": {"pending": "spawn"}} if "7" in self._of.jobs or not self._of.ends else {}


def test_a_server_that_starts_ends_with_its_job() -> None:
    """The hub cannot stop such a server. Jobs of other users keep running."""
    starting = StartingServer()
    pool = UserPool([USER], hub=starting.hub, slurm=starting.slurm)
    pool.release(pool.lease(), of="test_one")

    assert pool.lease() == [USER]
    assert list(starting.jobs) == ["8"]


def test_a_user_whose_server_does_not_end_is_named_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the server's state, and a later lack of users the same test."""
    monkeypatch.setattr(user_pool, "CLEAN_DEADLINE_S", 0.2)
    starting = StartingServer(ends=False)
    pool = UserPool([USER], hub=starting.hub, slurm=starting.slurm)
    pool.release(pool.lease(), of="test_one")

    with pytest.raises(CleanupError, match=r"test_one.*the default server: spawn"):
        pool.settle()
    with pytest.raises(PoolExhaustedError) as later:
        pool.lease()

    assert "left by test_one" in later.value.detail[0]
