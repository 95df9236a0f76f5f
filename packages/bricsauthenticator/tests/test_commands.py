"""Commands that take too long, or are not wanted any more."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bricsauthenticator import commands

pytestmark = pytest.mark.asyncio


async def test_a_command_gets_input_and_returns_its_outcome() -> None:
    """Long input and output pass through, and so does the exit status."""
    much = "line\n" * 100_000

    outcome = await commands.run("cat; echo complaint >&2; exit 3", stdin=much, timeout_s=30)

    assert outcome == commands.Outcome(status=3, stdout=much, stderr="complaint\n")


@pytest.mark.parametrize("steps", range(12))
async def test_a_command_ends_when_all_tasks_are_cancelled(steps: int) -> None:
    """A hub that shuts down cancels and awaits all its tasks, even a new command."""
    others = asyncio.all_tasks()
    running = asyncio.create_task(commands.run("sleep 60", timeout_s=60))
    for _ in range(steps):
        await asyncio.sleep(0)

    for task in asyncio.all_tasks() - others:
        task.cancel()
    await asyncio.wait({running}, timeout=5)

    assert running.cancelled()


async def test_a_cancelled_command_leaves_no_process(tmp_path: Path, until: Any) -> None:
    """Cancelling kills the command and what it has started."""
    command = f"sleep 60 & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/shell; wait"
    running = asyncio.create_task(commands.run(command, timeout_s=60))
    await until(lambda: (tmp_path / "shell").exists() and (tmp_path / "shell").read_text())
    shell, child = (int((tmp_path / name).read_text()) for name in ("shell", "child"))

    running.cancel()
    await asyncio.wait({running}, timeout=5)

    assert running.cancelled()
    await until(lambda: has_ended(shell) and has_ended(child))


def has_ended(pid: int) -> bool:
    """Return whether a process is dead, reaped by its parent or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("command", ["sleep 60", "yes", "exec >&- 2>&-; sleep 60"], ids=["silent", "endless", "closed"])
async def test_a_command_is_killed_at_its_time_limit(command: str) -> None:
    """A command is killed at its time limit, independent of its output."""
    begun = time.monotonic()

    async with asyncio.timeout(10):
        outcome = await commands.run(command, timeout_s=0.1)

    assert outcome == commands.Outcome(status=None, stderr="no answer within 0.1 seconds")
    assert time.monotonic() - begun >= 0.1


async def test_a_process_in_another_session_does_not_delay_the_command(tmp_path: Path) -> None:
    """A command does not wait for a process that escaped with its output.

    A shared ssh connection may do that.
    """
    command = f"setsid sh -c 'echo $$ >{tmp_path}/escaped; exec sleep 60' & wait"
    try:
        async with asyncio.timeout(10):
            outcome = await commands.run(command, timeout_s=2)
    finally:
        os.kill(int((tmp_path / "escaped").read_text()), signal.SIGKILL)

    assert outcome.status is None


SWAPPED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
Add correct host key in /etc/hubpod/credentials/ssh_known_hosts to get rid of this message.
  remove with:
  ssh-keygen -f '/etc/hubpod/credentials/ssh_known_hosts' -R 'localhost'
Host key verification failed.
"""


async def test_a_wrong_host_key_is_reported_without_sshs_advice() -> None:
    """The message explains the failure without the advice of ssh to trust the host."""
    complaint = commands.Outcome(status=255, stderr=SWAPPED).complaint

    assert complaint == (
        "the Slurm host did not prove with its host key that it is the right one, so nothing was sent to it "
        "(Host key verification failed.)"
    )


async def test_messages_of_the_host_are_not_taken_for_those_of_ssh() -> None:
    """Only ssh's own failure, 255, is about the connection."""
    assert (
        commands.Outcome(status=1, stderr="Host key verification failed.").complaint == "Host key verification failed."
    )
