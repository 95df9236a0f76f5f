"""Control the daemons of the slurm container: kill, pause, stop and start them.

The daemons run under the supervisor s6.

This module also runs commands in the container and waits for their results. Verbs are those of s6-svc, states those of
s6-svstat: https://skarnet.org/software/s6/s6-svc.html.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubTimeoutError
from hubpod.errors import HubpodError
from hubpod.system.process import CommandError, Result

T = TypeVar("T")
Execute = Callable[[Sequence[str]], Result]
"""Runs a command as root in the slurm container."""

SERVICES = "/run/service"
ANSWER_S = 10
"""Seconds that a command in the container may take, because a paused slurmctld never replies."""

TIMED_OUT = 124
"""Exit status of timeout(1) after it ended the command."""

CHANGE_S = 20.0
UP_S = 30.0
POLL_INTERVAL_S = 0.1


class DaemonError(HubpodError):
    """A daemon is unknown, or did not change its state as requested."""


@dataclass(frozen=True, kw_only=True)
class DaemonSpec:
    """How to find and check a daemon.

    Attributes:
        service: Name of its s6 service directory.
        works: A command that succeeds when the daemon works; it may hang otherwise.
    """

    service: str
    works: tuple[str, ...]


def _listens(port: int) -> str:
    """Return shell code that succeeds when a port is in state LISTEN.

    The code makes no connection, because sshd would log it.
    """
    return f"grep -qsE ':{port:04X} [0-9A-F]+:[0-9A-F]+ 0A ' /proc/net/tcp /proc/net/tcp6"


# slurmd's node is up once it has registered with the controller. A star marks a node that does not respond.
_NODE_RESPONDS = "sinfo --noheader --Node --format=%t | grep -qvE 'down|[*]'"

DAEMONS: Mapping[str, DaemonSpec] = {
    "munge": DaemonSpec(service="munged", works=("munge", "--no-input", "--output=/dev/null")),
    "slurmctld": DaemonSpec(service="slurmctld", works=("scontrol", "ping")),
    "slurmd": DaemonSpec(service="slurmd", works=("sh", "-c", f"{_listens(6818)} && {_NODE_RESPONDS}")),
    "sshd": DaemonSpec(service="sshd", works=("sh", "-c", _listens(22))),
}


@dataclass(frozen=True, kw_only=True)
class DaemonState:
    """The state of a daemon, as reported by its supervisor.

    Attributes:
        up: Whether it runs, paused or not.
        paused: Whether it is stopped by SIGSTOP.
        pid: Its process id; -1 when it does not run.
    """

    up: bool
    paused: bool
    pid: int


def parse_state(answer: str) -> DaemonState:
    """Parse the output of `s6-svstat -o up,paused,pid`."""
    up, paused, pid = answer.split()
    return DaemonState(up=up == "true", paused=paused == "true", pid=int(pid))


def run_command(execute: Execute, *argv: str) -> Result:
    """Run a command that may hang in the slurm container, without checking its result."""
    try:
        result = execute(("timeout", str(ANSWER_S), *argv))
    except CommandError as error:
        result = error.result
    if result.returncode == TIMED_OUT:
        return replace(result, argv=argv, stderr=f"no answer within {ANSWER_S} s")
    return replace(result, argv=argv)


def wait_for_condition(
    check: Callable[[], tuple[T, str]],
    what: str,
    deadline_s: float,
    *,
    retry_on: type[HubpodError] | tuple[type[HubpodError], ...] = (),
) -> T:
    """Call `check` until it reports no obstacle, and return its value.

    Args:
        check: Returns a value and the obstacle, which is empty on success.
        what: The beginning of the error message, such as "job 5 did not end".
        deadline_s: Seconds to wait. The last call may end up to ANSWER_S later.
        retry_on: Errors of `check` that count as an obstacle.

    Raises:
        HubTimeoutError: There was an obstacle until the end; the message contains it.
    """
    deadline = Deadline(deadline_s, what)
    while True:
        try:
            value, obstacle = check()
            if not obstacle:
                return value
        except retry_on as error:
            obstacle = error.message
        try:
            deadline.pause(POLL_INTERVAL_S)
        except HubTimeoutError:
            raise HubTimeoutError(f"{what} within {deadline_s:g} s: {obstacle}") from None


def daemon(name: str, execute: Execute) -> "Daemon":
    """Return the daemon with that name.

    Raises:
        DaemonError: The name is unknown.
    """
    if name not in DAEMONS:
        raise DaemonError(f"unknown daemon {name}", remedy=f"choose one of {', '.join(DAEMONS)}")
    return Daemon(name=name, spec=DAEMONS[name], execute=execute)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One daemon of the slurm container. Every method returns once its effect is visible.

    Child processes of a daemon survive it: jobs when slurmd is killed, SSH sessions when sshd is.
    """

    name: str
    spec: DaemonSpec = field(repr=False)
    execute: Execute = field(repr=False, compare=False)

    def state(self) -> DaemonState:
        """Return the state that the supervisor reports now."""
        return parse_state(self._command("s6-svstat", "-o", "up,paused,pid", self._directory).stdout)

    def kill(self) -> None:
        """Kill the daemon with SIGKILL. The supervisor restarts it within a second.

        Raises:
            DaemonError: The daemon does not run.
        """
        before = self._running("kill")
        self._command("s6-svc", "-k", self._directory)
        self._until(lambda now: now.pid != before.pid, "be killed")

    def pause(self) -> None:
        """Stop the daemon with SIGSTOP. The kernel accepts connections, which get no answer.

        Raises:
            DaemonError: The daemon does not run.
        """
        self._running("pause")
        self._command("s6-svc", "-p", self._directory)
        self._until(lambda now: now.paused, "be paused")

    def unpause(self) -> None:
        """Continue the daemon with SIGCONT."""
        self._command("s6-svc", "-c", self._directory)
        self._until(lambda now: not now.paused, "continue")

    def stop(self) -> None:
        """Stop the daemon with SIGTERM, also a paused one, until `start`."""
        self._command("s6-svc", "-d", self._directory)
        self._until(lambda now: not now.up, "stop")

    def start(self) -> None:
        """Start the daemon without waiting for it (see `wait_until_up`)."""
        self._command("s6-svc", "-u", self._directory)

    def wait_until_up(self, deadline_s: float = UP_S) -> None:
        """Wait until the daemon works, such as a slurmd that has registered its node.

        Raises:
            HubTimeoutError: The daemon is not up in time.
        """

        def check() -> tuple[None, str]:
            return None, "" if self.works() else f"it does not work, {self.state()}"

        wait_for_condition(check, f"{self.name} was not up", deadline_s)

    def works(self) -> bool:
        """Check once whether the daemon runs, is not paused and works."""
        now = self.state()
        return now.up and not now.paused and run_command(self.execute, *self.spec.works).ok

    @property
    def _directory(self) -> str:
        return f"{SERVICES}/{self.spec.service}"

    def _running(self, what: str) -> DaemonState:
        now = self.state()
        if not now.up:
            raise DaemonError(f"cannot {what} {self.name}: it is not running", remedy="start() it first")
        return now

    def _until(self, happened: Callable[[DaemonState], bool], what: str) -> None:
        def check() -> tuple[None, str]:
            now = self.state()
            return None, "" if happened(now) else str(now)

        wait_for_condition(check, f"{self.name} did not {what}", CHANGE_S)

    def _command(self, *argv: str) -> Result:
        result = run_command(self.execute, *argv)
        if not result.ok:
            said = " ".join(result.last_lines) or f"status {result.returncode}"
            raise DaemonError(f"the supervisor of {self.name} fails: {said}", remedy="check that the container is up")
        return result
