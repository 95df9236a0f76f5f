"""The pool of users: who is to blame for what is left."""

import pytest

from hubpod.system.process import Result
from hubpod_harness.hub import Hub
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.user_pool import CleanupError, UserPool
from hubpod_harness.users import User

NOBODY_THERE = "http://127.0.0.1:9"  # the port of the discard service, which no machine has any more
USER = User(name="user01", projects=("project1",))


def test_what_an_earlier_test_left_is_told_with_its_name() -> None:
    """Whoever waits for a user whose servers cannot be ended learns whose they were, and what stands in the way."""
    hub = Hub(NOBODY_THERE, observer="", log=str, issuer=None, password="")
    pool = UserPool([USER], hub=hub, slurm=SlurmProbe(lambda argv: Result(argv=tuple(argv), returncode=0), str))
    pool.release(pool.lease(), of="test_one")

    with pytest.raises(CleanupError) as told:
        pool.settle()

    assert told.value.message.startswith("servers of user01, left by test_one, do not end: ")
    assert "refused" in told.value.message
    pool.settle()  # it is told once
