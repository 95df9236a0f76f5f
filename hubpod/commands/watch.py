"""`watch`: reload after every save, until interrupted."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, DefaultFilter
from watchfiles import watch as watch_files

from hubpod.commands.reload import reload
from hubpod.context import Context
from hubpod.deployment.apply import Difference, Outcome
from hubpod.errors import HubpodError, NotRunningError, SourceError
from hubpod.labels import LABEL_DEPLOY_DIR
from hubpod.request import UpRequest
from hubpod.settings import hub_config
from hubpod.sources import clones
from hubpod.system.scratch_files import is_scratch
from hubpod.system.started_as import command_line

QUIET_MS = 100
"""Saves that follow each other within this time are one edit."""

LONGEST_MS = 2000
DIRECTORY_CHECK_MS = 200
LISTED_FILES = 3
"""Number of saved files that a summary names, because a checkout of another branch may change hundreds."""


@dataclass(frozen=True, kw_only=True)
class ReloadResult:
    """One reload.

    Attributes:
        files: The saved files; none at the first reload, which applies earlier edits.
        took_s: Duration in seconds.
        outcome: What was changed; None if the reload failed.
        error: Why the reload failed.
    """

    files: tuple[Path, ...]
    took_s: float
    outcome: Outcome | None = None
    error: HubpodError | None = None

    @property
    def saved(self) -> str:
        """The saved files in a few words.

        Each file has its directory, because most packages have an `__init__.py`.
        """
        names = list(dict.fromkeys("/".join(path.parts[-2:]) for path in self.files))
        more = f" and {len(names) - LISTED_FILES} more" if len(names) > LISTED_FILES else ""
        return (", ".join(names[:LISTED_FILES]) or "present files") + more

    @property
    def summary(self) -> str:
        """The result in a few words."""
        if self.error:
            return self.error.message
        if not self.outcome or self.outcome.difference is Difference.NONE:
            return "nothing changed"
        if self.outcome.difference is Difference.POD:
            return "the pod was replaced"
        return f"restarted {', '.join(self.outcome.restarted) or 'nothing'}"


def find_directories(context: Context, request: UpRequest) -> tuple[Path, ...]:
    """Return the directories to watch: the sources, volumes/, and the site's own settings of JupyterHub, if any.

    Missing sources are cloned.

    Raises:
        SourceError: A clone cannot be used.
    """
    checkouts = clones.ensure_clones(context.workspace.project, request.origins)
    deploy_dir = context.snapshot(request.instance).volume_label(LABEL_DEPLOY_DIR)
    settings = Path(deploy_dir) / hub_config.DIRECTORY
    own = (settings,) if deploy_dir and settings.is_dir() else ()
    return (*(checkout.directory for checkout in checkouts), context.workspace.project / "volumes", *own)


def watch(
    context: Context, request: UpRequest, directories: Sequence[Path], report: Callable[[ReloadResult], None]
) -> None:
    """Reload now and after every save, until interrupted.

    Args:
        context: Context of the command.
        request: The instance and its sources.
        directories: The directories to watch.
        report: Called with the result of each reload, even if it failed.

    Raises:
        NotRunningError: The instance is down at the first reload.
    """
    for number, files in enumerate(_saves(directories)):
        result = _reload(context, request, directories, files)
        if number == 0 and isinstance(result.error, NotRunningError):
            raise result.error
        report(result)


def _saves(directories: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield nothing once the directories are watched, then the files of each save.

    A directory that is moved away or restored is watched again, and reported like a saved file.
    """
    unreported: set[Path] | None = set()
    while True:
        watched = _inodes(directories)
        for changes in _changes(list(watched)):
            paths = {Path(path) for _, path in changes}
            replaced = {path for path, _ in _inodes(directories).items() ^ watched.items()}
            moved = replaced | paths.intersection(directories)
            files = {path for path in paths if not path.is_dir()} | moved | (unreported or set())
            if moved:
                # Reported once the new directory is watched, as saves before that would go unnoticed.
                unreported = files
                break
            if files or unreported is not None:
                yield tuple(sorted(files))
                unreported = None


def _inodes(directories: Sequence[Path]) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in directories if path.is_dir()}


def _changes(directories: Sequence[Path]) -> Iterator[set[tuple[Change, str]]]:
    """Yield changes as they happen, and an empty set every DIRECTORY_CHECK_MS."""
    return watch_files(
        *directories,
        watch_filter=_is_source,
        step=QUIET_MS,
        debounce=LONGEST_MS,
        rust_timeout=DIRECTORY_CHECK_MS,
        yield_on_timeout=True,
    )


_default_filter = DefaultFilter()


def _is_source(change: Change, path: str) -> bool:
    return _default_filter(change, path) and not is_scratch(Path(path).name)


def _reload(context: Context, request: UpRequest, directories: Sequence[Path], files: tuple[Path, ...]) -> ReloadResult:
    started = time.monotonic()
    outcome, error = None, None
    try:
        _require_directories(directories)
        outcome = reload(context, request)
    except HubpodError as failure:
        error = failure
    except OSError as failure:  # a file was removed during the reload; the removal is the next save
        error = HubpodError(f"{failure.filename}: {failure.strerror}")
    return ReloadResult(files=files, took_s=time.monotonic() - started, outcome=outcome, error=error)


def _require_directories(directories: Sequence[Path]) -> None:
    """Refuse to reload while a directory is missing, because a new clone would take its place."""
    missing = [str(path) for path in directories if not path.is_dir()]
    if missing:
        raise SourceError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} gone; nothing that runs was changed",
            remedy=f"move it back, which is noticed, or make a new clone with `{command_line('dev.clone')}`",
        )
