"""Running the site's commands, such as ssh, for the spawner, and looking whether a server is there.

They are shell strings because batchspawner's traits are. What is put into them has been validated; secrets are not
put into them but go in on standard input.
"""

import asyncio
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from bricsauthenticator.slurm import is_stranger

STRANGER = (
    "the Slurm host did not prove with its host key that it is the right one, so nothing was sent to it "
    "(Host key verification failed.)"
)
KEPT_VARIABLES = ("PATH", "HOME", "LANG")

# One for each command that runs, made when needed. The loop's own executor has but a few, and other work.
_THREADS = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="slurm-command")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: Its exit status; None when it was killed for taking too long.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    status: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0

    def without(self, secret: str) -> "Outcome":
        """Return the same with a secret taken out, before anything of it is shown or cut."""
        if not secret:
            return self
        return replace(
            self, stdout=self.stdout.replace(secret, "[secret]"), stderr=self.stderr.replace(secret, "[secret]")
        )

    @property
    def complaint(self) -> str:
        """The end of what it said about its failure, on one line; for a swapped host a sentence of our own.

        What ssh says of that ends in the advice to trust whoever answers, which is the one thing not to do.
        """
        if is_stranger(self.status, self.stderr):
            return STRANGER
        said = " ".join((self.stderr.strip() or self.stdout.strip()).split())[-300:]
        return said or f"exit status {self.status}"


async def run(command: str, *, stdin: str = "", timeout_s: float) -> Outcome:
    """Run a shell command with a minimal environment, and kill all of it when it takes too long or is not wanted."""
    sent = stdin.encode("utf-8", "surrogateescape")
    # Not asyncio's subprocesses: in Python 3.11, one that has just begun never ends when all tasks are cancelled at
    # once, as by a hub that shuts down; and a killed one is waited for until nobody holds its output any more.
    process = _started(command)
    talk = asyncio.get_running_loop().run_in_executor(_THREADS, _talk, process, sent, timeout_s)
    try:
        # Unlike await, wait does not cancel the thread's work, part of which is to reap the process.
        await asyncio.wait({talk})
    except BaseException:
        _kill(process)
        raise
    return talk.result()


def _started(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        start_new_session=True,
    )


def _talk(process: subprocess.Popen[bytes], stdin: bytes, timeout_s: float) -> Outcome:
    with process:
        try:
            out, err = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return Outcome(status=None, stderr=f"no answer within {timeout_s:g} seconds")
    return Outcome(
        status=process.returncode, stdout=out.decode("utf-8", "replace"), stderr=err.decode("utf-8", "replace")
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def listens(host: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
