"""The pool of users: errors name the test that left resources behind."""

import pytest

from hubpod.system.process import Result
from hubpod_harness.hub import Hub
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.user_pool import CleanupError, UserPool
from hubpod_harness.users import User

UNUSED_URL = "http://127.0.0.1:9"  # the port of the discard service, which no machine runs any more
USER = User(name="user01", projects=("project1",))


def test_leftovers_are_reported_with_the_name_of_their_test() -> None:
    """An error about a server that does not stop names the earlier test and the obstacle."""
    hub = Hub(UNUSED_URL, observer="", log=str, issuer=None, password="")
    pool = UserPool([USER], hub=hub, slurm=SlurmProbe(lambda argv: Result(argv=tuple(argv), returncode=0), str))
    pool.release(pool.lease(), of="test_one")

    with pytest.raises(CleanupError) as error:
        pool.settle()

    assert error.value.message.startswith("servers of user01, left by test_one, do not end: ")
    assert "refused" in error.value.message
    pool.settle()  # the error is raised once
