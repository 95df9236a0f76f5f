"""Running the site's commands, such as ssh, for the spawner, and looking whether a server is there.

They are shell strings because batchspawner's traits are. What is put into them has been validated; secrets are not
put into them but go in on standard input.
"""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass

KEPT_VARIABLES = ("PATH", "HOME", "LANG")


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

    @property
    def complaint(self) -> str:
        """The end of what it said about its failure, on one line."""
        said = " ".join((self.stderr.strip() or self.stdout.strip()).split())[-300:]
        return said or f"exit status {self.status}"


async def run(command: str, *, stdin: str = "", timeout_s: float) -> Outcome:
    """Run a shell command with a minimal environment, and kill all of it when it takes too long or is not wanted."""
    process = await asyncio.create_subprocess_shell(
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin.encode("utf-8", "surrogateescape"))
    except TimeoutError:
        await _kill(process)
        return Outcome(status=None, stderr=f"no answer within {timeout_s:g} seconds")
    except BaseException:
        await _kill(process)
        raise
    return Outcome(
        status=process.returncode, stdout=out.decode("utf-8", "replace"), stderr=err.decode("utf-8", "replace")
    )


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


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
