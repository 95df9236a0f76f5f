"""Fixtures of the suite, beside those of the plugin."""

from collections.abc import Callable, Iterator

import pytest

from harness.slurm import SlurmProbe
from harness.stack import Stack
from harness.users import User
from hubpod.client import Session

# One stack for every test that would otherwise wait for the hub's pauses, because starting one takes seconds.
QUICK = """
c.JupyterHub.allow_named_servers = True
c.BatchSpawnerBase.poll_interval = 1
c.BricsSlurmSpawner.command_timeout = 5
c.BricsSlurmSpawner.search_timeout = 30
c.BricsAuthenticator.keys_refresh_interval = 1
c.BricsAuthenticator.keys_max_age = 1
"""


@pytest.fixture
def quick(stacks: Callable[..., Stack]) -> Stack:
    """A stack whose hub asks for jobs and keys every second, and lets a person have several servers."""
    quick = stacks(config=QUICK)
    quick.pool.settle()  # its tests disturb what the users of earlier ones still need to end
    return quick


@pytest.fixture
def quick_user(quick: Stack, users: Callable[..., list[User]]) -> User:
    """A user of the quick stack whom nobody else is meanwhile."""
    return users(of=quick)[0]


@pytest.fixture
def quick_session(quick: Stack, quick_user: User) -> Session:
    """That user, logged in."""
    return quick.hub.login_as(quick_user)


@pytest.fixture
def developers(stacks: Callable[..., Stack]) -> Stack:
    """A stack as a developer has it."""
    return stacks(environment="dev_dummyauth", settings={"devAdmins": "boss"})


@pytest.fixture
def drained(stack: Stack, slurm: SlurmProbe) -> Iterator[None]:
    """No job starts until the test says so, or ends."""
    stack.pool.settle()
    slurm.drain(reason="maintenance")
    yield
    slurm.resume()
