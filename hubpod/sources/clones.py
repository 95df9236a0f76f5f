"""The development repositories: clones below containers/*/_dev_build_data, and what a build takes from them."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import SourceError
from hubpod.pod import File
from hubpod.sources import content, git
from hubpod.sources.origins import Origin, mask_secrets
from hubpod.system.private_files import private_directory

IMPORTED = "Imported-Digest"
"""Trailer of the first commit of a clone made from packages/: tells when the package has moved on."""

_SCRATCH = ".clone-"


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
        status: For the person: "cloned", "as it was", "modified: 2 files, 1 commit" …
    """

    source: Source
    folder: Path
    status: str

    def digest(self) -> str:
        """What identifies the content that a build would take; changes with every edit."""
        return content.digest(self.folder)

    def files(self) -> tuple[File, ...]:
        """What a build takes, as it is at this moment."""
        return content.snapshot(self.folder)

    def installation(self) -> str:
        """What identifies all that installing it depends on; stays the same when its code is edited."""
        return content.installation(self.folder)

    def export(self, target: Path) -> None:
        """Copy what a build takes, without version control and ignored files, to a new folder."""
        content.copy(self.folder, target)
        content.mark_complete(target)


def ensure_clones(project: Path, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Have a checkout of every source: an existing clone as it is, a new one where there is none.

    Raises:
        SourceError: A clone cannot be made, or what stands in its place is not one.
    """
    for source in SOURCES:
        for leftover in source.clone(project).parent.glob(f"{_SCRATCH}*"):  # of a command that was killed
            shutil.rmtree(leftover, ignore_errors=True)
    return tuple(_ensure(project, source, origins.get(source.name)) for source in SOURCES)


def _ensure(project: Path, source: Source, origin: Origin | None) -> Checkout:
    if origin and origin.folder:
        require_project(source, origin.folder)
        return Checkout(source=source, folder=origin.folder, status=f"in place at {origin.folder}")
    clone = source.clone(project)
    private_directory(clone.parent)  # git writes the URL into the clone, and in the URL there may be a token
    if clone.exists():
        return Checkout(source=source, folder=clone, status=_status(project, source, clone, origin))
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=clone.parent) as scratch:
        new = Path(scratch) / source.name
        if origin:
            clone_from(source, origin, new)
        else:
            _import_package(project / "packages" / source.name, new)
        require_project(source, new)
        new.rename(clone)
    return Checkout(source=source, folder=clone, status="cloned")


def clone_from(source: Source, origin: Origin, new: Path) -> None:
    """Clone another repository to a new folder, at its ref.

    Raises:
        SourceError: That cannot be done.
    """
    try:
        env = git.ssh_environment(new.parent)
        git.run(new.parent, "clone", "--quiet", "--origin=origin", "--", origin.url, str(new), env=env)
        (new / ".git" / "config").chmod(0o600)
        if origin.ref:
            git.run(new, "checkout", "--quiet", origin.ref, "--", env=env)
        if (new / ".gitmodules").is_file():
            # A repository from elsewhere must not have folders of this machine cloned into it.
            local = ":file" if origin.url.startswith("file:") else ""
            env["GIT_ALLOW_PROTOCOL"] = git.PROTOCOLS + local
            git.run(new, "submodule", "--quiet", "update", "--init", "--recursive", env=env)
    except SourceError as error:
        raise SourceError(
            f"cannot clone {source.name} from {origin}",
            detail=error.detail,
            remedy="check the URL, the ref and your access to the repository; git is not let ask for a password",
        ) from error


def _import_package(package: Path, new: Path) -> None:
    """Turn a folder of ours into a repository of its own, so that `git diff` shows a developer's edits."""
    content.copy(package, new)
    identity = ("user.name=hubpod", "user.email=hubpod@localhost", "commit.gpgsign=false")
    git.run(new, "init", "--quiet", "--initial-branch=main")
    git.run(new, "add", "--all")
    message = f"Imported from packages/{package.name}\n\n{IMPORTED}: {content.digest(package)}"
    git.run(new, "commit", "--quiet", "--no-verify", "-m", message, config=identity)


def _status(project: Path, source: Source, clone: Path, origin: Origin | None) -> str:
    if not (clone / ".git").exists():
        raise SourceError(
            f"{clone} is not a git repository, so it will not be used as the clone of {source.name}",
            remedy=f"move it away, or use it in place with --source {source.name}={clone}",
        )
    require_project(source, clone)
    files = len(git.run(clone, "status", "--porcelain", "--untracked-files=all").splitlines())
    if origin:
        _require_origin(source, clone, origin)
    imported, digest = _imported(clone)
    commits = len(git.local_commits(clone, since=imported))
    counts = ((files, "file"), (commits, "commit"))
    changes = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
    notes = [f"modified: {changes}"] if changes else []
    if digest and digest != content.digest(project / "packages" / source.name):
        notes.append(f"older than packages/{source.name}; move {clone} away to have it cloned again")
    return ", ".join(notes) or "as it was"


def _require_origin(source: Source, clone: Path, origin: Origin) -> None:
    # Not `git remote get-url`, which applies url.*.insteadOf. Compared masked: a new token is no other repository.
    found = mask_secrets(git.run(clone, "config", "--get", "remote.origin.url", check=False).strip())
    if found != mask_secrets(origin.url):
        raise SourceError(
            f"{clone} was cloned from {found or 'packages/' + source.name}, not from {mask_secrets(origin.url)}",
            remedy="move it away to have the other one cloned; it is never overwritten",
        )
    if origin.ref and not git.is_at(clone, origin.ref):
        raise SourceError(
            f"{clone} is not at {origin.ref}",
            remedy=f"run `git -C {clone} checkout {origin.ref}`, or leave out the ref",
        )


def _imported(clone: Path) -> tuple[str, str]:
    """The commit that a clone of ours began with, and the digest of the package at that time; empty for others."""
    if not git.has_commit(clone):
        return "", ""
    trailer = f"%(trailers:key={IMPORTED},valueonly,separator=%x20)"
    log = git.run(clone, "log", "--reverse", "--fixed-strings", f"--grep={IMPORTED}: ", f"--format=%H {trailer}")
    found = (line.split() for line in log.splitlines())
    return next(((words[0], words[1]) for words in found if len(words) > 1), ("", ""))


def require_project(source: Source, folder: Path) -> None:
    """Refuse a folder that nothing can be installed from.

    Raises:
        SourceError: It is no Python project.
    """
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise SourceError(
            f"{folder} is not a Python project: it has neither pyproject.toml nor setup.py",
            remedy=f"point --source {source.name} at the folder that has one",
        )
