"""What production is built from: sources as they were released, never as they lie in somebody's clone."""

import hashlib
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import SourceError, UsageError
from hubpod.sources import content, git
from hubpod.sources.clones import SOURCES, Checkout, Source, clone_from, require_project
from hubpod.sources.origins import Origin
from hubpod.system.private_files import private_directory

FOLDER = "releases"
SHORT = 12
_SCRATCH = ".clone-"
_STATUS = ("status", "--porcelain", "--untracked-files=all")


def ensure_releases(project: Path, state: Path, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Have every source as it was released: ours as it is committed in this checkout, others at a tag or commit.

    Raises:
        UsageError: A source is asked for that is no release.
        SourceError: A release cannot be cloned, or ours has been edited.
    """
    return tuple(_ensure(project, state, source, origins.get(source.name)) for source in SOURCES)


def _ensure(project: Path, state: Path, source: Source, origin: Origin | None) -> Checkout:
    if origin is None:
        folder = project / "packages" / source.name
        return Checkout(source=source, folder=folder, status=f"{_version(folder)}{_committed(project, folder)}")
    if origin.folder or not origin.ref:
        raise UsageError(
            f"--source {source.name}={origin}: production is built from releases",
            remedy="give URL@REF with a tag or a whole commit",
        )
    folder = _release(state, source, origin)
    commit = git.run(folder, "rev-parse", "HEAD").strip()
    return Checkout(source=source, folder=folder, status=f"{origin.ref}, commit {commit[:SHORT]}")


def _version(folder: Path) -> str:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return str(project.get("version", "of no version"))


def _committed(project: Path, folder: Path) -> str:
    """The commit of our own package, for the person; empty where hubpod itself is no clone."""
    if not (project / ".git").exists():
        return ""
    known = set(git.run(project, "ls-files", "-z", "--", str(folder)).split("\0"))
    taken = {str((folder / path).relative_to(project)) for path in content.files(folder)}
    if taken - known or git.run(project, *_STATUS, "--", str(folder)):
        raise SourceError(
            f"{folder} has something that is not committed, and production is built from releases",
            remedy="commit or remove it, or give --source NAME=URL@REF with a tag or a whole commit",
        )
    return f", commit {git.run(project, 'rev-parse', 'HEAD').strip()[:SHORT]}"


def _release(state: Path, source: Source, origin: Origin) -> Path:
    """The clone of a release, which stays as it is once it is there."""
    releases = private_directory(private_directory(state) / FOLDER)
    identity = hashlib.sha256(f"{origin.url} {origin.ref}".encode()).hexdigest()[:SHORT]
    clone = releases / f"{source.name}-{identity}"
    if _is_untouched(clone, origin.ref):
        return clone
    for leftover in releases.glob(f"{_SCRATCH}*"):  # of a command that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=releases) as scratch:
        new = Path(scratch) / source.name
        clone_from(source, origin, new)
        _require_fixed(source, origin, new)
        require_project(source, new)
        shutil.rmtree(clone, ignore_errors=True)
        new.rename(clone)
    return clone


def _is_untouched(clone: Path, ref: str) -> bool:
    """Whether a clone is there and still has what was released, and nothing else."""
    if not (clone / ".git").is_dir():
        return False
    head, released = _commit(clone, "HEAD"), _commit(clone, f"refs/tags/{ref}") or ref
    try:
        return head == released and not git.run(clone, *_STATUS, "--ignored")
    except SourceError:  # half of a clone
        return False


def _commit(clone: Path, ref: str) -> str:
    """The commit that a ref means; empty when there is none."""
    return git.run(clone, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip()


def _require_fixed(source: Source, origin: Origin, clone: Path) -> None:
    """Refuse a ref that names another commit tomorrow, such as a branch, also one called like a tag."""
    head = _commit(clone, "HEAD")
    if head not in {_commit(clone, f"refs/tags/{origin.ref}"), origin.ref}:
        raise SourceError(
            f"{origin.ref} of {source.name} is neither a tag nor a whole commit, so it may be another one tomorrow",
            remedy=f"give the commit itself: {head}",
        )
