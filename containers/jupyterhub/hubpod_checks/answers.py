"""The answer about one need, and the commands whose results lead to it."""

import subprocess
from dataclasses import asdict, dataclass

READY = "ready"
NOT_READY = "not ready"
UNCHECKED = "not checked"

COMMAND_LIMIT_S = 15.0
MAX_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer about one need.

    Attributes:
        need: Name of the need.
        state: READY, NOT_READY or UNCHECKED.
        text: What is wrong, or why it was not checked; empty if the need is met.
    """

    need: str
    state: str
    text: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the value of a line of JSON."""
        return asdict(self)


def judge(need: str, problem: str) -> Answer:
    """Return the answer for a problem, which is empty if the need is met."""
    return Answer(need=need, state=NOT_READY if problem else READY, text=problem)


def unchecked(need: str, why: str) -> Answer:
    """Return the answer about a need that could not be checked."""
    return Answer(need=need, state=UNCHECKED, text=why)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a command; the status is None after its time limit."""

    status: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def complaint(self) -> str:
        """The last line of the error output, without characters that act on a terminal."""
        lines = self.stderr.strip().splitlines() or self.stdout.strip().splitlines()
        text = "".join(each for each in (lines[-1] if lines else "") if each.isprintable()).strip()[-MAX_CHARACTERS:]
        return text or (
            f"no answer within {COMMAND_LIMIT_S:.0f} s" if self.status is None else f"exit status {self.status}"
        )


def run(command: str, environment: dict[str, str], *, stdin: str = "") -> Outcome:
    """Run a shell command as the hub does: its commands are shell text, because batchspawner's traits are."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(stdin.encode(), COMMAND_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return Outcome(status=None)
    return Outcome(
        status=process.returncode, stdout=out.decode("utf-8", "replace"), stderr=err.decode("utf-8", "replace")
    )
