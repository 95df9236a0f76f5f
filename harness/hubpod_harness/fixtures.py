"""Fixtures of the plugin: a stack, or a part of one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from hubpod.errors import HubpodError
from hubpod_harness import options
from hubpod_harness.plugin_state import REMAINING, STACKS, format_error, prepare

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from hubpod.client import Session
    from hubpod.podman.cli import Podman
    from hubpod_harness.hub import Hub
    from hubpod_harness.issuer import Issuer
    from hubpod_harness.slurm import SlurmProbe
    from hubpod_harness.stack import Stack
    from hubpod_harness.stacks import StackManager
    from hubpod_harness.users import User


@pytest.fixture(scope="session")
def hubpod_kit(pytestconfig: pytest.Config) -> "Iterator[StackManager]":
    """Manager that starts stacks. The other fixtures are parts of its stacks."""
    from hubpod_harness.stacks import open_stacks  # noqa: PLC0415 - heavy

    with ExitStack() as opened:
        try:
            manager = opened.enter_context(open_stacks(options.read(pytestconfig), lambda: prepare(pytestconfig)))
        except HubpodError as error:
            pytest.exit(format_error(error), returncode=pytest.ExitCode.USAGE_ERROR)
        pytestconfig.stash[STACKS] = manager
        yield manager
        pytestconfig.stash[REMAINING] = tuple(f"{stack.site.instance.name} at {stack.url}" for stack in manager.stacks)
    del pytestconfig.stash[STACKS]


@pytest.fixture(scope="session")
def podman(hubpod_kit: "StackManager") -> "Podman":
    """The podman that runs the stacks."""
    return hubpod_kit.machine.context.podman


@pytest.fixture(scope="session")
def images(hubpod_kit: "StackManager") -> dict[str, str]:
    """The images under test: references by name."""
    return dict(hubpod_kit.machine.built.images)


@pytest.fixture(scope="session")
def stacks(hubpod_kit: "StackManager") -> "Callable[..., Stack]":
    """Function that starts further stacks.

    Example: ``stacks(config="c.JupyterHub.allow_named_servers = True", settings={…})``.
    """
    return hubpod_kit.stack


@pytest.fixture
def stack(stacks: "Callable[..., Stack]") -> "Stack":
    """The stack that the tests share."""
    return stacks()


@pytest.fixture
def hub(stack: "Stack") -> "Hub":
    """The stack's hub."""
    return stack.hub


@pytest.fixture
def slurm(stack: "Stack") -> "SlurmProbe":
    """The stack's Slurm, with operator rights."""
    return stack.slurm


@pytest.fixture
def issuer(stack: "Stack") -> "Iterator[Issuer]":
    """The token issuer, which is reset after the test."""
    assert stack.issuer  # noqa: S101 - the plugin deselects tests of other logins
    yield stack.issuer
    if stack.issuer.changed:
        stack.issuer.reset()


@pytest.fixture
def users(request: pytest.FixtureRequest, stacks: "Callable[..., Stack]") -> "Iterator[Callable[..., list[User]]]":
    """Function that leases users: ``users(6)``, ``users(2, of=other_stack)``.

    The servers and jobs of these users end with the test.
    """
    with ExitStack() as leases:

        def lease(count: int = 1, *, of: "Stack | None" = None) -> "list[User]":
            pool = (of or stacks()).pool
            leased = pool.lease(count)
            leases.callback(pool.release, leased, of=request.node.nodeid)
            return leased

        yield lease


@pytest.fixture
def user(users: "Callable[..., list[User]]") -> "User":
    """A user that no other test uses at the same time."""
    return users()[0]


@pytest.fixture
def session(hub: "Hub", user: "User") -> "Session":
    """A login session of `user`."""
    return hub.login_as(user)


@pytest.fixture
def page() -> "Iterator[Page]":
    """An empty page of the machine's browser."""
    from hubpod_harness.browser import new_page  # noqa: PLC0415 - heavy

    with new_page() as page:
        yield page
