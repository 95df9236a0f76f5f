"""Fixtures of the suite, beside those of the plugin."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubpod.client import Session
from hubpod_harness.groups import assign_group
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

# One stack for every test that would otherwise wait for the hub's pauses, because starting one takes seconds.
QUICK = """
c.JupyterHub.allow_named_servers = True
c.BatchSpawnerBase.poll_interval = 1
c.BricsSlurmSpawner.command_timeout = 5
c.BricsSlurmSpawner.search_timeout = 10
c.JupyterHub.init_spawners_timeout = 1
c.BricsAuthenticator.keys_refresh_interval = 1
c.BricsAuthenticator.keys_max_age = 1
"""


OTHER_STACKS = ("quick_stack", "developers")
"""Fixtures that start others than the plugin's own `stack`."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist's loadgroup no stack is started by two workers, unless a test names a group of its own."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            fixtures = getattr(item, "fixturenames", ())
            kept = next((name for name in OTHER_STACKS if name in fixtures), "stack")
            own = item.get_closest_marker("xdist_group")
            assign_group(item, own.args[0] if own else kept)


@pytest.fixture(scope="session")
def quick_stack(stacks: Callable[..., Stack]) -> Stack:
    """A stack whose hub asks for jobs and keys every second, logs all it can, lets a person have several servers."""
    return stacks(config=QUICK, settings={"logLevel": "DEBUG"})


@pytest.fixture
def quick(quick_stack: Stack) -> Stack:
    """The same, when the users of earlier tests have ended: its tests disturb what they still need for that."""
    quick_stack.pool.settle()
    return quick_stack


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
