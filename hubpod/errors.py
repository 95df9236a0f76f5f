"""Errors that hubpod raises on purpose, with the exit code of each kind.

A HubpodError carries a message and a remedy for the developer or operator at the command line. It is printed once,
without a traceback.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class HubpodError(Exception):
    """Base class of all errors that hubpod raises on purpose.

    Args:
        message: What was attempted and what is wrong, in one sentence.
        remedy: What to do next, in one sentence; empty when the message says it.
        detail: Lines to print below the message, such as the last lines of a log.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", detail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = tuple(detail)


class UsageError(HubpodError):
    """The command line is wrong, such as an unknown environment or contradicting options."""

    exit_code = 2


class SettingsError(HubpodError):
    """The deploy ConfigMap or another file of the deploy directory is wrong."""

    exit_code = 3


class MachineError(HubpodError):
    """The machine does not meet a requirement.

    Examples are a missing or broken podman, a port in use and a full disk.
    """

    exit_code = 4


class SourceError(HubpodError):
    """A source could not be cloned, or is not a valid source."""

    exit_code = 5


class BuildError(HubpodError):
    """An image could not be pulled, bootstrapped or built."""

    exit_code = 6


class NotReadyError(HubpodError):
    """A started component did not become ready before its deadline."""

    exit_code = 7


class NotRunningError(HubpodError):
    """The command needs a running instance."""

    exit_code = 8


class ProbeError(HubpodError):
    """A step of a spawn failed: login, start of the server, running code, or stop."""

    exit_code = 9


def nearest(name: str, known: Iterable[str], *, similarity: float = 0.6) -> str:
    """Suggest the most similar name, if any, as the end of an error message.

    Args:
        name: The name as it was typed.
        known: The names that exist.
        similarity: Least ratio of equal characters, from 0 to 1 (difflib.SequenceMatcher.ratio).
    """
    matches = difflib.get_close_matches(name, tuple(known), n=1, cutoff=similarity)
    return f"; did you mean {matches[0]!r}?" if matches else ""
