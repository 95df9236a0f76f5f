"""Fixtures of the suite, besides those of the plugin."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubpod.client import Session
from hubpod_harness.groups import assign_group
from hubpod_harness.plugin import CONTRACT_MARK, OURS_MARK
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

# One stack for all tests that would otherwise wait for the hub's intervals, because a start takes seconds.
QUICK = """
c.JupyterHub.allow_named_servers = True
c.BatchSpawnerBase.poll_interval = 1
c.BricsSlurmSpawner.command_timeout = 5
c.BricsSlurmSpawner.search_timeout = 10
c.JupyterHub.init_spawners_timeout = 1
c.BricsAuthenticator.keys_refresh_interval = 1
c.BricsAuthenticator.keys_max_age = 1
c.BatchSpawnerBase.req_prologue = "[ ! -d ~/prefix ] || JUPYTERHUB_BRICS_CONDA_PREFIX_DIR=~/prefix"
"""


OTHER_STACKS = ("quick_stack", "developer_stack")
"""Fixtures that start other stacks than the plugin's `stack`."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Assign each test to a group by its stack, so that workers never share a stack.

    Explicit groups stay. Each test that is not about hubpod's own packages becomes a test of the contract.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            if not item.get_closest_marker(OURS_MARK):
                item.add_marker(CONTRACT_MARK)
            fixtures = getattr(item, "fixturenames", ())
            kept = next((name for name in OTHER_STACKS if name in fixtures), "stack")
            own = item.get_closest_marker("xdist_group")
            assign_group(item, own.args[0] if own else kept)


@pytest.fixture(scope="session")
def quick_stack(stacks: Callable[..., Stack]) -> Stack:
    """A stack with second-long poll intervals, log level DEBUG and named servers."""
    return stacks(config=QUICK, settings={"logLevel": "DEBUG"})


@pytest.fixture
def quick(quick_stack: Stack) -> Stack:
    """The quick stack, for tests that disturb it.

    The users of earlier tests are released first.
    """
    quick_stack.pool.settle()
    return quick_stack


@pytest.fixture
def quick_user(quick: Stack, users: Callable[..., list[User]]) -> User:
    """A user of the quick stack that no other test uses at the same time."""
    return users(of=quick)[0]


@pytest.fixture
def quick_session(quick: Stack, quick_user: User) -> Session:
    """A login session of `quick_user`."""
    return quick.hub.login_as(quick_user)


@pytest.fixture
def developer_stack(stacks: Callable[..., Stack]) -> Stack:
    """A stack of the environment dev_dummyauth."""
    return stacks(environment="dev_dummyauth", settings={"devAdmins": "boss"})


@pytest.fixture
def drain_node(stack: Stack, slurm: SlurmProbe) -> Iterator[None]:
    """Drain the node. The test or the teardown resumes it."""
    stack.pool.settle()
    slurm.drain(reason="maintenance")
    yield
    slurm.resume()
