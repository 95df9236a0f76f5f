"""Places that must not contain a token: argument lists during a spawn, and logs at DEBUG."""

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
# One process that only reads: a shell would start a process per list, and miss short-lived ones.
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
def verbose_stack(quick: Stack) -> Iterator[Stack]:
    """The quick stack with the highest log levels for hub and Slurm."""
    with undo_after(lambda: set_debug(quick, "info")):
        set_debug(quick, "debug5")
        yield quick


def set_debug(stack: Stack, level: str) -> None:
    """Set the log level of slurmctld and slurmd."""
    for where in ((), (f"nodes={stack.slurm.node}",)):
        result = stack.execute("slurm", ("scontrol", "setdebug", level, *where))
        assert result.ok, result.stderr


@contextmanager
def collect_arguments(stack: Stack) -> Iterator[dict[str, str]]:
    """Collect the argument lists of hub and Slurm during the block, to read after it."""
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


def test_no_token_is_in_arguments_or_logs(verbose_stack: Stack, quick_user: User) -> None:
    """From login to stop, no token is in an argument list or a log.

    The job has only its own tokens.
    """
    issuer: Issuer = require_issuer(verbose_stack)
    login = issuer.mint(quick_user)

    with collect_arguments(verbose_stack) as seen:
        server = verbose_stack.hub.login(login).spawn(project=PROJECT)
        own, environment = server.execute(TOKENS).split(), server.execute(ENVIRONMENT)
        server.stop()

    assert own
    assert all(len(token) > 20 for token in own)
    assert "JUPYTERHUB_API_TOKEN=" in environment
    assert login not in environment
    assert not [number for number, secret in enumerate(verbose_stack.secrets) if secret in environment]
    assert "slurmspawner_sbatch" in seen["jupyterhub"]
    assert "jupyterhub-singleuser" in seen["slurm"]
    secrets = {*verbose_stack.secrets, login, *own}
    shown = {f"an argument list of {name}": text for name, text in seen.items()}
    for name in verbose_stack.containers:
        shown |= {f"the log of {name}": verbose_stack.log(name), f"podman inspect {name}": verbose_stack.inspect(name)}
    assert "[D " in shown["the log of jupyterhub"]
    assert "debug2:" in shown["the log of slurm"]
    assert not [f"{line} of {place}" for place, text in shown.items() if (line := find_secret(text, secrets))]
