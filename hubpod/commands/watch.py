"""Every save made live, for as long as somebody edits."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, DefaultFilter
from watchfiles import watch as changes_below

from hubpod.commands.reload import reload
from hubpod.context import Context
from hubpod.deployment.apply import Difference, Outcome
from hubpod.errors import HubpodError, NotRunningError, SourceError
from hubpod.request import UpRequest
from hubpod.sources import clones, content

QUIET_MS = 100
"""Saves that follow each other within this time are one edit."""

LONGEST_MS = 2000
LOOK_AGAIN_MS = 200
SHOWN = 3
"""Of more files than these only the number is told: a branch that was checked out may have hundreds."""


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
    done: Outcome | None = None
    error: HubpodError | None = None

    @property
    def saved(self) -> str:
        """What was saved, in a few words: files with their folder, since most packages have an `__init__.py`."""
        names = list(dict.fromkeys("/".join(path.parts[-2:]) for path in self.files))
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return (", ".join(names[:SHOWN]) or "as it lies here") + more

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


def folders(context: Context, request: UpRequest) -> tuple[Path, ...]:
    """Where saves are noticed: the sources, which are cloned if need be, and volumes/.

    Raises:
        SourceError: A clone cannot be used.
    """
    checkouts = clones.ensure_clones(context.workspace.project, request.origins)
    return (*(checkout.directory for checkout in checkouts), context.workspace.project / "volumes")


def watch(context: Context, request: UpRequest, below: Sequence[Path], told: Callable[[Turn], None]) -> None:
    """Reload now, and after every save, until it is interrupted; a reload that fails is told like any other.

    Raises:
        NotRunningError: The instance is down at the first one.
    """
    for number, files in enumerate(_saves(below)):
        turn = _turn(context, request, below, files)
        if number == 0 and isinstance(turn.error, NotRunningError):
            raise turn.error
        told(turn)


def _saves(below: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Nothing once it is noticed what is saved; then what is saved, and which folders go or come, as it happens."""
    told: set[Path] | None = set()
    while True:
        there = _identities(below)
        for changes in _changes(list(there)):
            paths = {Path(path) for _, path in changes}
            moved = {path for path, _ in _identities(below).items() ^ there.items()} | paths.intersection(below)
            files = {path for path in paths if not path.is_dir()} | moved | (told or set())
            if moved:
                told = files  # once the new folder is watched: of what is saved until then nothing would be noticed
                break
            if files or told is not None:
                yield tuple(sorted(files))
                told = None


def _identities(below: Sequence[Path]) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in below if path.is_dir()}


def _changes(below: Sequence[Path]) -> Iterator[set[tuple[Change, str]]]:
    """What changes, and nothing every now and then."""
    return changes_below(
        *below,
        watch_filter=_filter,
        step=QUIET_MS,
        debounce=LONGEST_MS,
        rust_timeout=LOOK_AGAIN_MS,
        yield_on_timeout=True,
    )


_caches = DefaultFilter()


def _filter(change: Change, path: str) -> bool:
    return _caches(change, path) and not content.is_scratch(Path(path).name)


def _turn(context: Context, request: UpRequest, below: Sequence[Path], files: tuple[Path, ...]) -> Turn:
    begun = time.monotonic()
    try:
        _require_there(below)
        done = reload(context, request)
    except HubpodError as error:
        return Turn(files=files, took_s=time.monotonic() - begun, error=error)
    except OSError as error:  # a file that goes between two looks; whoever takes it away saves another one
        told = HubpodError(f"{error.filename}: {error.strerror}")
        return Turn(files=files, took_s=time.monotonic() - begun, error=told)
    return Turn(files=files, took_s=time.monotonic() - begun, done=done)


def _require_there(below: Sequence[Path]) -> None:
    """Let nobody's clone be made anew while they move it, and the new one go live."""
    gone = [str(path) for path in below if not path.is_dir()]
    if gone:
        raise SourceError(
            f"{' and '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone; nothing was changed in what runs",
            remedy="put it back, which is noticed; `dev.clone` makes a new clone",
        )
