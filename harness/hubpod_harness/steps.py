"""Steps that tests share: waiting, acting as an account, restoring what a test changes."""

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

LOOK_AGAIN_S = 0.2
COMMAND_TIMEOUT_S = 20.0

SUBMIT_JOB = ("sbatch", "--parsable", "--chdir=/", "--output=/dev/null", "--wrap=sleep 600")
"""Submits a job that is nobody's server, as an account, and prints its number."""

PROJECT = "project1"
"""The project of tests that need just one: the first of each user, which the spawn form has chosen already."""


def wait_until(what: str, look: Callable[[], T], deadline_s: float = 30.0) -> T:
    """Look again and again until there is something to see, and return it.

    Args:
        what: What is waited for, as the subject of a sentence.
        look: Looks once.
        deadline_s: Seconds to wait.

    Raises:
        HubTimeoutError: There was nothing in time.
    """
    deadline = Deadline(deadline_s, what)
    while not (seen := look()):
        deadline.pause(LOOK_AGAIN_S)
    return seen


def home_directory(account: str) -> str:
    """Return the home directory of an account ``<USER>.<PROJECT>`` on the Slurm host."""
    return Account.parse(account).home


def run_as_account(stack: Stack, account: str, *argv: str) -> Result:
    """Run a command as an account on the Slurm host, where even root may not write into homes.

    Raises:
        CommandError: It failed.
    """
    # runuser, because podman itself knows only the accounts that came with the image.
    command = ("runuser", "-u", account, "--", *argv)
    result = stack.execute("slurm", command, timeout_s=COMMAND_TIMEOUT_S)
    if not result.ok:
        raise CommandError(result)
    return result


def require_issuer(stack: Stack) -> Issuer:
    """The issuer of a stack whose login is by token."""
    if stack.issuer is None:
        raise LookupError("this stack has no issuer; mark the test with hubpod_login('JWT')")
    return stack.issuer


def accepts_token(hub: Hub, token: str) -> bool:
    """Whether the hub lets somebody in with this token."""
    try:
        hub.login(token)
    except LoginRefused:
        return False
    return True


@contextmanager
def undo_after(restore: Callable[[], object], *also: Callable[[], object]) -> Iterator[None]:
    """Undo a fault when the block ends, however it ends."""
    undoings: Sequence[Callable[[], object]] = (restore, *also)
    try:
        yield
    finally:
        for undo in undoings:
            undo()
