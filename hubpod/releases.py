"""What production is built from: sources as they were released, never as they lie in somebody's clone."""

import hashlib
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hubpod import git
from hubpod.credentials import private_folder
from hubpod.errors import SourceError, UsageError
from hubpod.origins import Origin
from hubpod.sources import SOURCES, Checkout, Source, clone_from, require_project

FOLDER = "releases"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SHORT = 12


def ensure(project: Path, state: Path, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
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
    if git.run(project, "status", "--porcelain", "--", str(folder)):
        raise SourceError(
            f"{folder} has changes that are not committed, and production is built from releases",
            remedy="commit them, or give --source NAME=URL@REF with a tag or a whole commit",
        )
    return f", commit {git.run(project, 'rev-parse', 'HEAD').strip()[:SHORT]}"


def _release(state: Path, source: Source, origin: Origin) -> Path:
    """The clone of a release, which stays as it is once it is there."""
    releases = private_folder(private_folder(state) / FOLDER)
    identity = hashlib.sha256(f"{origin.url} {origin.ref}".encode()).hexdigest()[:SHORT]
    clone = releases / f"{source.name}-{identity}"
    if clone.exists() and not git.run(clone, "status", "--porcelain"):
        return clone
    shutil.rmtree(clone, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=releases) as scratch:
        new = Path(scratch) / source.name
        clone_from(source, origin, new)
        _require_fixed(source, origin, new)
        require_project(source, new)
        new.rename(clone)
    return clone


def _require_fixed(source: Source, origin: Origin, clone: Path) -> None:
    """Refuse a ref that names another commit tomorrow."""
    is_tag = git.run(clone, "rev-parse", "--verify", "--quiet", f"refs/tags/{origin.ref}", check=False)
    if not is_tag and not _COMMIT.fullmatch(origin.ref):
        raise SourceError(
            f"{origin.ref} of {source.name} is neither a tag nor a whole commit, so it may be another one tomorrow",
            remedy=f"give the commit itself: {git.run(clone, 'rev-parse', 'HEAD').strip()}",
        )
