"""The development repositories: clones below containers/*/_dev_build_data, and what a build takes from them."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hubpod import process
from hubpod.errors import SourceError
from hubpod.origins import Origin
from hubpod.process import CommandError

IMPORTED = "Imported-Digest"
"""Trailer of the first commit of a clone made from packages/: tells when the package has moved on."""

_GIT_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",  # ext:: and others run commands that stand in the URL
}
_LEFT_OUT = {".git", "__pycache__", ".venv", ".nox", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A development repository that a container image is built from."""

    name: str
    image: str

    def clone(self, project: Path) -> Path:
        """Where its clone lives."""
        return project / "containers" / self.image / "_dev_build_data" / self.name


SOURCES = (
    Source(name="bricsauthenticator", image="jupyterhub"),
    Source(name="slurmspawner_wrappers", image="slurm"),
)


SOURCE_NAMES = tuple(source.name for source in SOURCES)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A source as it lies on disk.

    Attributes:
        source: Which one.
        folder: Where.
        status: For the person: "cloned", "as it was", "modified: 2 files" …
    """

    source: Source
    folder: Path
    status: str

    def digest(self) -> str:
        """What identifies the content that a build would take; changes with every edit."""
        return _digest(self.folder)

    def export(self, target: Path) -> None:
        """Copy what a build takes, without version control and ignored files, to a new folder."""
        for relative in _files(self.folder):
            to = target / relative
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.folder / relative, to, follow_symlinks=False)


def ensure(project: Path, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Have a checkout of every source: an existing clone as it is, a new one where there is none.

    Raises:
        SourceError: A clone cannot be made, or what stands in its place is not one.
    """
    return tuple(_ensure(project, source, origins.get(source.name)) for source in SOURCES)


def _ensure(project: Path, source: Source, origin: Origin | None) -> Checkout:
    if origin and origin.folder:
        _require_project(source, origin.folder)
        return Checkout(source=source, folder=origin.folder, status=f"in place at {origin.folder}")
    clone = source.clone(project)
    if clone.exists():
        return Checkout(source=source, folder=clone, status=_status(project, source, clone, origin))
    clone.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".clone-", dir=clone.parent) as scratch:
        new = Path(scratch) / source.name
        if origin:
            _clone_from(source, origin, new)
        else:
            _import_package(project / "packages" / source.name, new)
        _require_project(source, new)
        new.rename(clone)
    return Checkout(source=source, folder=clone, status="cloned")


def _clone_from(source: Source, origin: Origin, new: Path) -> None:
    try:
        _git(new.parent, "clone", "--quiet", "--", origin.url, str(new))
        if origin.ref:
            _git(new, "checkout", "--quiet", origin.ref, "--")
    except CommandError as error:
        what = f"{origin.url}@{origin.ref}" if origin.ref else origin.url
        raise SourceError(
            f"cannot clone {source.name} from {what}",
            detail=error.detail,
            remedy="check the URL, the ref and your access to the repository",
        ) from error


def _import_package(package: Path, new: Path) -> None:
    """Turn a folder of ours into a repository of its own, so that `git diff` shows a developer's edits."""
    for relative in _files(package):
        to = new / relative
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(package / relative, to)
    identity = ("-c", "user.name=hubpod", "-c", "user.email=hubpod@localhost", "-c", "commit.gpgsign=false")
    _git(new, "init", "--quiet", "--initial-branch=main")
    _git(new, "add", "--all")
    message = f"Imported from packages/{package.name}\n\n{IMPORTED}: {_digest(package)}"
    _git(new, *identity, "commit", "--quiet", "--no-verify", "-m", message)


def _status(project: Path, source: Source, clone: Path, origin: Origin | None) -> str:
    if not (clone / ".git").exists():
        raise SourceError(
            f"{clone} is not a git repository, so it will not be used as the clone of {source.name}",
            remedy=f"move it away, or use it in place with --source {source.name}={clone}",
        )
    _require_project(source, clone)
    if origin and (found := _git(clone, "remote", "get-url", "origin", check=False).strip()) != origin.url:
        raise SourceError(
            f"{clone} was cloned from {found or 'packages/' + source.name}, not from {origin.url}",
            remedy="move it away to have the other one cloned; it is never overwritten",
        )
    if origin and origin.ref and not _is_at(clone, origin.ref):
        raise SourceError(
            f"{clone} is not at {origin.ref}",
            remedy=f"run `git -C {clone} checkout {origin.ref}`, or leave out the ref",
        )
    changed = len(_git(clone, "status", "--porcelain").splitlines())
    if changed:
        return f"modified: {changed} {'file' if changed == 1 else 'files'}"
    trailer = _git(clone, "log", "-1", f"--format=%(trailers:key={IMPORTED},valueonly)").strip()
    if trailer and trailer != _digest(project / "packages" / source.name):
        return f"older than packages/{source.name}; remove {clone} to have it cloned again"
    return "as it was"


def _is_at(clone: Path, ref: str) -> bool:
    wanted = _git(clone, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip()
    return bool(wanted) and wanted == _git(clone, "rev-parse", "HEAD").strip()


def _require_project(source: Source, folder: Path) -> None:
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise SourceError(
            f"{folder} is not a Python project: it has neither pyproject.toml nor setup.py",
            remedy=f"point --source {source.name} at the folder that has one",
        )


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for relative in _files(folder):
        path = folder / relative
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        executable = b"x" if not path.is_symlink() and os.access(path, os.X_OK) else b"-"
        for part in (str(relative).encode(), executable, hashlib.sha256(content).digest()):
            digest.update(part + b"\0")
    return digest.hexdigest()[:32]


def _files(folder: Path) -> list[Path]:
    """What belongs to a source, sorted: all that git does not ignore, or all but caches where there is no git."""
    if (folder / ".git").exists():
        listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return sorted({Path(name) for name in listed if name and os.path.lexists(folder / name)})
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.endswith(".egg-info")]
        yield from ((Path(root) / name).relative_to(folder) for name in names if not name.endswith(".pyc"))


def _git(folder: Path, *args: str, check: bool = True) -> str:
    env = {**os.environ, **_GIT_ENV}
    # A hook or a task run by git exports these; they would point at the project's own repository.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        env.pop(name, None)
    return process.run(["git", "-C", str(folder), *args], env=env, check=check).stdout
