"""Shell commands of the site, such as ssh, and a check whether a server listens.

The commands are shell strings because batchspawner's traits are. Values in them have been validated. Secrets are never
in them but on standard input.
"""

import asyncio
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from bricsauthenticator.slurm import is_wrong_host

WRONG_HOST = (
    "the Slurm host did not prove with its host key that it is the right one, so nothing was sent to it "
    "(Host key verification failed.)"
)
HTTP_ANSWER = b"HTTP/"
ANSWER_TIMEOUT_S = 10.0
KEPT_VARIABLES = ("PATH", "HOME", "LANG")

# One thread for each running command, started on demand. The loop's own executor has few threads, and other work.
_THREADS = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="slurm-command")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a command.

    Attributes:
        status: The exit status; None when the command was killed at its time limit.
        stdout: The standard output.
        stderr: The standard error.
    """

    status: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command ended with status 0."""
        return self.status == 0

    def without(self, secret: str) -> "Outcome":
        """Return the outcome without a secret, before any of it is shown or cut."""
        if not secret:
            return self
        return replace(
            self, stdout=self.stdout.replace(secret, "[secret]"), stderr=self.stderr.replace(secret, "[secret]")
        )

    @property
    def complaint(self) -> str:
        """The end of the error output on one line.

        A wrong host key gets a sentence of this package, because ssh's own message advises to trust the host.
        """
        return " ".join(self.full_complaint.split())[-300:]

    @property
    def full_complaint(self) -> str:
        """The error output in lines, or else the standard output, or else the exit status."""
        if is_wrong_host(self.status, self.stderr):
            return WRONG_HOST
        return self.stderr.strip() or self.stdout.strip() or f"exit status {self.status}"


async def run(command: str, *, stdin: str = "", timeout_s: float) -> Outcome:
    """Run a shell command in a minimal environment.

    A timeout or a cancellation kills every process of the command's session.
    """
    sent = stdin.encode("utf-8", "surrogateescape")
    # Not asyncio's subprocesses: in Python 3.11, a new process never ends when all tasks are cancelled at once, as by
    # a hub that shuts down, and the wait for a killed process lasts until all its children have closed its output.
    process = _start(command)
    talk = asyncio.get_running_loop().run_in_executor(_THREADS, _communicate, process, sent, timeout_s)
    try:
        # Unlike await, wait does not cancel the thread, which must also reap the process.
        await asyncio.wait({talk})
    except BaseException:
        _kill(process)
        raise
    return talk.result()


def _start(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        start_new_session=True,
    )


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, timeout_s: float) -> Outcome:
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
    """Return whether the port answers in HTTP."""
    writer = None
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"HEAD /api HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            return await reader.read(len(HTTP_ANSWER)) == HTTP_ANSWER
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
