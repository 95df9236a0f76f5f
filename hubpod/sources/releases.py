"""Releases of the sources, from which production is built: never a clone with local edits."""

import hashlib
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import SourceError, UsageError
from hubpod.sources import content, git
from hubpod.sources.build_backends import require_locked_backend
from hubpod.sources.clones import SOURCES, Checkout, Source, clone_from, require_project
from hubpod.sources.origins import Origin
from hubpod.sources.versions import UNKNOWN, version_of_release
from hubpod.system.private_files import private_directory
from hubpod.workspace import Workspace

SHORT = 12
LOCK = "release.lock"
"""Lock file beside an image's Containerfile with the packages that build a release."""

_SCRATCH = ".clone-"


def ensure_releases(workspace: Workspace, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Ensure a release of every source.

    A release is packages/ as committed in this checkout, or another origin at a tag or commit.

    Raises:
        UsageError: An origin is not a release.
        SourceError: A release cannot be cloned or built, or packages/ has local edits.
    """
    found = tuple(_ensure_release(workspace, source, origins.get(source.name)) for source in SOURCES)
    for each in found:
        lock = workspace.project / "containers" / each.source.image / LOCK
        if lock.is_file():  # without it, the build itself fails
            require_locked_backend(each.source.name, each.directory, lock)
    return found


def _ensure_release(workspace: Workspace, source: Source, origin: Origin | None) -> Checkout:
    if origin is None:
        package = workspace.project / "packages" / source.name
        status = f"{_version(package) or 'without version'}{_commit_text(workspace.project, package)}"
        return Checkout(source=source, directory=package, status=status, version=_version(package) or UNKNOWN)
    if origin.directory or not origin.ref:
        raise UsageError(
            f"--source {source.name}={origin} is not a release, and production is built from releases",
            remedy="give URL@REF with a tag or a full commit id",
        )
    clone = _ensure_clone(workspace, source, origin)
    commit = git.run(clone, "rev-parse", "HEAD").strip()
    return Checkout(
        source=source,
        directory=clone,
        status=f"{origin.ref}, commit {commit[:SHORT]}",
        version=version_of_release(clone, origin.ref),
    )


def _version(package: Path) -> str:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    return str(project.get("version", ""))


def _commit_text(project: Path, package: Path) -> str:
    """Return the commit of a package for its status, or an empty text if the project is not a git clone.

    Raises:
        SourceError: The package has files or edits that are not committed.
    """
    if not (project / ".git").exists():
        return ""
    committed = set(git.run(project, "ls-files", "-z", "--", str(package)).split("\0"))
    installed = {str((package / path).relative_to(project)) for path in content.list_files(package)}
    if installed - committed or git.list_changes(project, "--", str(package)):
        raise SourceError(
            f"{package} has changes that are not committed, and production is built from releases",
            remedy="commit or remove them, or give --source NAME=URL@REF with a tag or a full commit id",
        )
    return f", commit {git.run(project, 'rev-parse', 'HEAD').strip()[:SHORT]}"


def _ensure_clone(workspace: Workspace, source: Source, origin: Origin) -> Path:
    """Clone a release, or return its existing clone."""
    releases = private_directory(workspace.releases)
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
    """Whether a clone exists and has exactly the files of its release."""
    if not (clone / ".git").is_dir():
        return False
    head, released = _commit(clone, "HEAD"), _commit(clone, f"refs/tags/{ref}") or ref
    try:
        return head == released and not git.list_changes(clone, "--ignored")
    except SourceError:  # the clone is incomplete
        return False


def _commit(clone: Path, ref: str) -> str:
    """Return the commit of a ref, or an empty text if the ref does not exist."""
    return git.run(clone, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip()


def _require_fixed(source: Source, origin: Origin, clone: Path) -> None:
    """Refuse a ref that can move to another commit, such as a branch.

    A branch is refused even if a tag has the same name.
    """
    head = _commit(clone, "HEAD")
    if head not in {_commit(clone, f"refs/tags/{origin.ref}"), origin.ref}:
        raise SourceError(
            f"{origin.ref} of {source.name} is neither a tag nor a full commit id, so it can move to another commit",
            remedy=f"give the commit id: {head}",
        )
