"""Every save made live, for as long as somebody edits."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, DefaultFilter
from watchfiles import watch as changes_below

from hubpod import content, sources
from hubpod.context import Context
from hubpod.deployment import Difference, Done
from hubpod.errors import HubpodError, NotRunningError
from hubpod.reload import reload
from hubpod.request import UpRequest

QUIET_MS = 100
"""Saves that follow each other within this time are one edit."""

LONGEST_MS = 2000
FIRST_MS = 200


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One reload.

    Attributes:
        files: What was saved; none at the first one, which takes what was edited before.
        took_s: Seconds.
        done: What it took; None when it failed.
        error: Why it failed.
    """

    files: tuple[Path, ...]
    took_s: float
    done: Done | None = None
    error: HubpodError | None = None

    @property
    def outcome(self) -> str:
        """What came of it, in a few words."""
        if self.error:
            return self.error.message
        if not self.done or self.done.difference is Difference.NONE:
            return "nothing changed"
        if self.done.difference is Difference.POD:
            return "the pod was replaced"
        return f"restarted {', '.join(self.done.restarted) or 'nothing'}"


def watch(context: Context, request: UpRequest, told: Callable[[Turn], None]) -> None:
    """Reload now, and after every save, until it is interrupted; a reload that fails is told like any other.

    Raises:
        NotRunningError: The instance is down at the first one.
        SourceError: A clone cannot be used.
    """
    checkouts = sources.ensure(context.workspace.project, request.origins)
    folders = [context.workspace.project / "volumes", *(checkout.folder for checkout in checkouts)]
    for number, files in enumerate(_saves(folders)):
        turn = _turn(context, request, files)
        if turn.error and number == 0 and turn.error.exit_code == NotRunningError.exit_code:
            raise turn.error
        told(turn)


def _saves(folders: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Nothing once it is noticed what is saved; then what is saved, as it comes."""
    begun = False
    for changes in changes_below(
        *folders,
        watch_filter=_filter,
        step=QUIET_MS,
        debounce=LONGEST_MS,
        rust_timeout=FIRST_MS,
        yield_on_timeout=True,
    ):
        if changes or not begun:
            yield tuple(sorted({Path(path) for _, path in changes}))
        begun = True


_caches = DefaultFilter()


def _filter(change: Change, path: str) -> bool:
    return _caches(change, path) and not content.is_scratch(Path(path).name)


def _turn(context: Context, request: UpRequest, files: tuple[Path, ...]) -> Turn:
    begun = time.monotonic()
    try:
        done = reload(context, request)
    except HubpodError as error:
        return Turn(files=files, took_s=time.monotonic() - begun, error=error)
    except OSError as error:  # a file that goes between two looks; whoever takes it away saves another one
        told = HubpodError(f"{error.filename}: {error.strerror}")
        return Turn(files=files, took_s=time.monotonic() - begun, error=told)
    return Turn(files=files, took_s=time.monotonic() - begun, done=done)
