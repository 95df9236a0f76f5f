"""Where a token must not be seen: argument lists at any moment of a spawn, and logs that tell all they can."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from hubpod.client.deadline import Deadline
from hubpod_harness.issuer import Issuer
from hubpod_harness.observation import find_secret
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, require_issuer, undo_after
from hubpod_harness.users import User

pytestmark = [pytest.mark.security, pytest.mark.hubpod_login("JWT")]

WATCHED = ("jupyterhub", "slurm")
WATCH_TIMEOUT_S = 300.0
BEGUN, ENOUGH = "/tmp/begun", "/tmp/enough"  # noqa: S108 - paths inside the containers
BEGUN_S = 60
# One process that only reads: a shell would start one for each list, and miss those that are there for a moment.
WATCH = f"""
import contextlib, glob, os, time
seen = set()
open({BEGUN!r}, "w").close()
while not os.path.exists({ENOUGH!r}):
    for each in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(each, "rb") as file:
            seen.add(file.read().replace(b"\\0", b" ").decode(errors="replace"))
    time.sleep(0.002)
os.remove({ENOUGH!r})
os.remove({BEGUN!r})
print(*sorted(seen), sep="\\n")
"""
TOKENS = "import os; print(*{value for name, value in os.environ.items() if 'TOKEN' in name})"
ENVIRONMENT = "import os; print('\\n'.join(f'{name}={value}' for name, value in os.environ.items()))"


@pytest.fixture
def talkative(quick: Stack) -> Iterator[Stack]:
    """A stack whose hub and Slurm log as much as they can."""
    with undo_after(lambda: set_debug(quick, "info")):
        set_debug(quick, "debug5")
        yield quick


def set_debug(stack: Stack, level: str) -> None:
    """Set what Slurm's controller and its compute node log."""
    for where in ((), ("nodes=node1",)):
        result = stack.execute("slurm", ("scontrol", "setdebug", level, *where))
        assert result.ok, result.stderr


@contextmanager
def watching(stack: Stack) -> Iterator[dict[str, str]]:
    """Collect every argument list that hub and Slurm have meanwhile; they are there when the block has ended."""
    seen: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        watches = {
            name: pool.submit(stack.execute, name, ("python3", "-c", WATCH), timeout_s=WATCH_TIMEOUT_S)
            for name in WATCHED
        }
        try:
            deadline = Deadline(BEGUN_S, "the beginning of the watch")
            while not all(stack.execute(name, ("test", "-e", BEGUN)).ok for name in WATCHED):
                deadline.pause(0.05)
            yield seen
        finally:
            for name in WATCHED:
                stack.execute(name, ("touch", ENOUGH))
        seen.update({name: watch.result().stdout for name, watch in watches.items()})


def test_no_token_is_where_it_does_not_belong(talkative: Stack, quick_user: User) -> None:
    """From login to stop, no token is in a command line or in a log at DEBUG, and the job has its own ones only."""
    issuer: Issuer = require_issuer(talkative)
    login = issuer.mint(quick_user)

    with watching(talkative) as seen:
        server = talkative.hub.login(login).spawn(project=PROJECT)
        own, environment = server.execute(TOKENS).split(), server.execute(ENVIRONMENT)
        server.stop()

    assert own
    assert all(len(token) > 20 for token in own)
    assert "JUPYTERHUB_API_TOKEN=" in environment
    assert login not in environment
    assert not [number for number, secret in enumerate(talkative.secrets) if secret in environment]
    assert "slurmspawner_sbatch" in seen["jupyterhub"]
    assert "jupyterhub-singleuser" in seen["slurm"]
    secrets = {*talkative.secrets, login, *own}
    shown = {f"an argument list of {name}": text for name, text in seen.items()}
    for name in talkative.containers:
        shown |= {f"the log of {name}": talkative.log(name), f"podman inspect {name}": talkative.inspect(name)}
    assert "[D " in shown["the log of jupyterhub"]
    assert "debug2:" in shown["the log of slurm"]
    assert not [f"{line} of {place}" for place, text in shown.items() if (line := find_secret(text, secrets))]
