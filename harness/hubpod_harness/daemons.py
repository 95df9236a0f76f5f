"""The daemons of the slurm container, which s6 supervises there: kill, pause, stop and start them.

Also how a command is asked there, and waited for. What the words do is s6-svc's, what is told of them is s6-svstat's:
https://skarnet.org/software/s6/s6-svc.html.
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
"""Seconds that a command in the container may take; a paused slurmctld never answers."""

TIMED_OUT = 124
"""What timeout(1) ends with when it had to end the command."""

CHANGE_S = 20.0
UP_S = 30.0
LOOK_AGAIN_S = 0.1


class DaemonError(HubpodError):
    """A daemon is not known, or did not do what it was told to."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is to be known of a daemon.

    Attributes:
        service: Name of its service folder.
        works: A command that succeeds when the daemon does its work; it may hang when it does not.
    """

    service: str
    works: tuple[str, ...]


def _listens(port: int) -> str:
    """Shell that succeeds when a port is listened on, without a connection that the daemon would log and count."""
    return f"grep -qsE ':{port:04X} [0-9A-F]+:[0-9A-F]+ 0A ' /proc/net/tcp /proc/net/tcp6"


# slurmd's node is up again when the controller has heard of it; a state with a star is one that does not respond.
_NODE_RESPONDS = "sinfo --noheader --Node --format=%t | grep -qvE 'down|[*]'"

KINDS: Mapping[str, Kind] = {
    "munge": Kind(service="munged", works=("munge", "--no-input", "--output=/dev/null")),
    "slurmctld": Kind(service="slurmctld", works=("scontrol", "ping")),
    "slurmd": Kind(service="slurmd", works=("sh", "-c", f"{_listens(6818)} && {_NODE_RESPONDS}")),
    "sshd": Kind(service="sshd", works=("sh", "-c", _listens(22))),
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What the supervisor says of a daemon.

    Attributes:
        up: Whether it runs, be it paused.
        paused: Whether it is stopped by SIGSTOP.
        pid: Its process; -1 when it does not run.
    """

    up: bool
    paused: bool
    pid: int


def read_condition(answer: str) -> Condition:
    """Read the answer of `s6-svstat -o up,paused,pid`."""
    up, paused, pid = answer.split()
    return Condition(up=up == "true", paused=paused == "true", pid=int(pid))


def ask(execute: Execute, *argv: str) -> Result:
    """Run a command that may hang in the slurm container; its result is not checked."""
    try:
        result = execute(("timeout", str(ANSWER_S), *argv))
    except CommandError as error:
        result = error.result
    if result.returncode == TIMED_OUT:
        return replace(result, argv=argv, stderr=f"no answer within {ANSWER_S} s")
    return replace(result, argv=argv)


def wait(
    look: Callable[[], tuple[T, str]],
    what: str,
    deadline_s: float,
    *,
    meanwhile: type[HubpodError] | tuple[type[HubpodError], ...] = (),
) -> T:
    """Look again and again until nothing stands in the way, which is the second part of what a look returns.

    Args:
        look: Looks once.
        what: What did not happen when the deadline is over, as the beginning of a sentence.
        deadline_s: Seconds to wait; a look that has begun may end up to ANSWER_S later.
        meanwhile: An error of a look that is no reason to give up.

    Raises:
        HubTimeoutError: Something stood in the way to the end; says what it was.
    """
    deadline = Deadline(deadline_s, what)
    while True:
        try:
            value, obstacle = look()
            if not obstacle:
                return value
        except meanwhile as error:
            obstacle = error.message
        try:
            deadline.pause(LOOK_AGAIN_S)
        except HubTimeoutError:
            raise HubTimeoutError(f"{what} within {deadline_s:g} s: {obstacle}") from None


def daemon(name: str, execute: Execute) -> "Daemon":
    """The daemon of that name.

    Raises:
        DaemonError: There is none of that name.
    """
    if name not in KINDS:
        raise DaemonError(f"there is no daemon {name}", remedy=f"choose one of {', '.join(KINDS)}")
    return Daemon(name=name, kind=KINDS[name], execute=execute)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One daemon of the slurm container. Every method returns when what it says has happened.

    What a daemon has started stays: jobs when slurmd is killed, SSH sessions when sshd is.
    """

    name: str
    kind: Kind = field(repr=False)
    execute: Execute = field(repr=False, compare=False)

    def condition(self) -> Condition:
        """What the supervisor says of it now."""
        return read_condition(self._told("s6-svstat", "-o", "up,paused,pid", self._folder).stdout)

    def kill(self) -> None:
        """End it with SIGKILL; the supervisor starts it again, at most a second later.

        Raises:
            DaemonError: It does not run.
        """
        before = self._running("kill")
        self._told("s6-svc", "-k", self._folder)
        self._until(lambda now: now.pid != before.pid, "be killed")

    def pause(self) -> None:
        """Stop it with SIGSTOP: connections to it are accepted by the kernel and never answered.

        Raises:
            DaemonError: It does not run.
        """
        self._running("pause")
        self._told("s6-svc", "-p", self._folder)
        self._until(lambda now: now.paused, "be paused")

    def unpause(self) -> None:
        """Let it go on with SIGCONT."""
        self._told("s6-svc", "-c", self._folder)
        self._until(lambda now: not now.paused, "go on")

    def stop(self) -> None:
        """End it with SIGTERM, even when it is paused; it stays down until `start`."""
        self._told("s6-svc", "-d", self._folder)
        self._until(lambda now: not now.up, "stop")

    def start(self) -> None:
        """Have it started; `wait_until_up` waits until it works."""
        self._told("s6-svc", "-u", self._folder)

    def wait_until_up(self, deadline_s: float = UP_S) -> None:
        """Wait until it runs and does its work: slurmd when the controller has its node, sshd when it listens.

        Raises:
            HubTimeoutError: It is not up in time.
        """

        def look() -> tuple[None, str]:
            return None, "" if self.works() else f"it does not do its work, {self.condition()}"

        wait(look, f"{self.name} was not up", deadline_s)

    def works(self) -> bool:
        """Whether it runs, is not paused and does its work, asked once."""
        now = self.condition()
        return now.up and not now.paused and ask(self.execute, *self.kind.works).ok

    @property
    def _folder(self) -> str:
        return f"{SERVICES}/{self.kind.service}"

    def _running(self, what: str) -> Condition:
        now = self.condition()
        if not now.up:
            raise DaemonError(f"cannot {what} {self.name}: it does not run", remedy="start() it first")
        return now

    def _until(self, happened: Callable[[Condition], bool], what: str) -> None:
        def look() -> tuple[None, str]:
            now = self.condition()
            return None, "" if happened(now) else str(now)

        wait(look, f"{self.name} did not {what}", CHANGE_S)

    def _told(self, *argv: str) -> Result:
        result = ask(self.execute, *argv)
        if not result.ok:
            said = " ".join(result.last_lines) or f"status {result.returncode}"
            raise DaemonError(f"the supervisor of {self.name} cannot be told: {said}", remedy="is the container up?")
        return result
