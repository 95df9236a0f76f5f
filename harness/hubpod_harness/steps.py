"""Steps that tests share: wait, act as an account, undo a change."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from hubpod.accounts import Account
from hubpod.client import LoginRefused
from hubpod.client.deadline import Deadline
from hubpod.system.process import CommandError, Result
from hubpod_harness.hub import Hub
from hubpod_harness.issuer import Issuer
from hubpod_harness.stack import Stack

T = TypeVar("T")

POLL_INTERVAL_S = 0.2
COMMAND_TIMEOUT_S = 20.0

SUBMIT_JOB = ("sbatch", "--parsable", "--chdir=/", "--output=/dev/null", "--wrap=sleep 600")
"""Submits a job that belongs to no server, and prints its id."""

PROJECT = "project1"
"""The project of tests that need only one: each user's first, which the spawn form preselects."""


def wait_until(what: str, condition: Callable[[], T], deadline_s: float = 30.0) -> T:
    """Call `condition` until it returns a true value, and return the value.

    Args:
        what: Subject of the error message, such as "the job in the queue".
        condition: Returns a false value as long as the event has not happened.
        deadline_s: Seconds to wait.

    Raises:
        HubTimeoutError: The event did not happen in time.
    """
    deadline = Deadline(deadline_s, what)
    while not (value := condition()):
        deadline.pause(POLL_INTERVAL_S)
    return value


def home_directory(account: str) -> str:
    """Return the home directory of an account ``<USER>.<PROJECT>`` on the Slurm host."""
    return Account.parse(account).home


def run_as_account(stack: Stack, account: str, *argv: str) -> Result:
    """Run a command as an account on the Slurm host, because root may not write to homes.

    Raises:
        CommandError: The command failed.
    """
    # podman itself resolves only the accounts of the image, hence runuser.
    command = ("runuser", "-u", account, "--", *argv)
    result = stack.execute("slurm", command, timeout_s=COMMAND_TIMEOUT_S)
    if not result.ok:
        raise CommandError(result)
    return result


def require_issuer(stack: Stack) -> Issuer:
    """Return the issuer of a stack with token login, or raise."""
    if stack.issuer is None:
        raise LookupError("this stack has no issuer; mark the test with hubpod_login('JWT')")
    return stack.issuer


def accepts_token(hub: Hub, token: str) -> bool:
    """Return whether the hub accepts a token."""
    try:
        hub.login(token)
    except LoginRefused:
        return False
    return True


@contextmanager
def undo_after(restore: Callable[[], object], *also: Callable[[], object]) -> Iterator[None]:
    """Call the functions after the block, even if it fails."""
    functions: Sequence[Callable[[], object]] = (restore, *also)
    try:
        yield
    finally:
        for undo in functions:
            undo()
