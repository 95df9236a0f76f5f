"""What can go wrong, and the exit code each kind of it ends a command with.

A HubpodError carries one sentence for the person who typed the command: what was attempted, what stood in the way
and what to do next. It is printed once, at the top, without a traceback.
"""

from collections.abc import Sequence
from typing import ClassVar


class HubpodError(Exception):
    """Base of all errors that hubpod raises on purpose.

    Args:
        message: What was attempted and what stood in the way, in one sentence.
        remedy: What to do next, in one sentence; empty when the message says it.
        detail: Lines worth reading below the message, such as the last lines of a log.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", detail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = tuple(detail)


class UsageError(HubpodError):
    """The command line is wrong: an unknown environment, instance or source, or options that contradict each other."""

    exit_code = 2


class SettingsError(HubpodError):
    """The deploy ConfigMap or another file of the deploy directory is wrong."""

    exit_code = 3


class MachineError(HubpodError):
    """The machine lacks something: podman missing, too old or broken, a port taken, the disk full."""

    exit_code = 4


class SourceError(HubpodError):
    """A source could not be cloned, or is not what it should be."""

    exit_code = 5


class BuildError(HubpodError):
    """An image could not be pulled, bootstrapped or built."""

    exit_code = 6


class NotReadyError(HubpodError):
    """Something was started but did not become ready before its deadline."""

    exit_code = 7


class NotRunningError(HubpodError):
    """The command needs a running instance, and there is none."""

    exit_code = 8


class ProbeError(HubpodError):
    """A person could not log in, get a notebook, run code or stop the server again."""

    exit_code = 9
