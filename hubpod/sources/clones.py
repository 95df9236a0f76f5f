"""The development repositories and their clones below containers/*/_dev_build_data."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import SourceError
from hubpod.pod import File
from hubpod.sources import content, git
from hubpod.sources.contract import Contract, require_package
from hubpod.sources.origins import Origin, mask_secrets
from hubpod.sources.versions import UNKNOWN, version_of_clone
from hubpod.system.private_files import private_directory

IMPORTED = "Imported-Digest"
"""Trailer of the first commit of a clone made from packages/. It shows whether the package has changed since."""

_SCRATCH = ".clone-"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A development repository that is installed in a container image.

    Attributes:
        name: Its name.
        image: Directory below containers/ of the image.
        contract: What hub, SSH gate and sudo use of it.
    """

    name: str
    image: str
    contract: Contract

    def clone(self, project: Path) -> Path:
        """Return the path of the source's clone."""
        return project / "containers" / self.image / "_dev_build_data" / self.name


SOURCES = (
    Source(
        name="bricsauthenticator",
        image="jupyterhub",
        contract=Contract(
            declares=("jupyterhub.authenticators", "jupyterhub.spawners"),
            module="bricsauthenticator",  # which the hub's configuration imports
        ),
    ),
    Source(
        name="slurmspawner_wrappers",
        image="slurm",
        contract=Contract(declares=("slurmspawner_sbatch", "slurmspawner_squeue", "slurmspawner_scancel")),
    ),
)

SOURCE_NAMES = tuple(source.name for source in SOURCES)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A source on disk.

    Attributes:
        source: The source.
        directory: Its directory.
        status: Text for the user, such as "cloned", "unchanged" or "modified: 2 files, 1 commit".
        version: Version for a build backend that takes it from git.
    """

    source: Source
    directory: Path
    status: str
    version: str = UNKNOWN

    def digest(self) -> str:
        """Return the digest of its content, which changes with every edit."""
        return content.digest(self.directory)

    def files(self) -> tuple[File, ...]:
        """Return the files for a volume, with their current content."""
        return content.snapshot(self.directory)

    def installation_digest(self) -> str:
        """Return the digest of the installation's inputs, which edits of code do not change."""
        return content.installation_digest(self.directory)

    def export(self, target: Path) -> None:
        """Copy its content, without version control and ignored files, to a new directory."""
        content.copy(self.directory, target)
        content.mark_complete(target)


def ensure_clones(project: Path, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Ensure a checkout of every source.

    An existing clone is used unchanged. A missing clone is created.

    Raises:
        SourceError: A source cannot be cloned, or something else occupies the place of its clone.
    """
    for source in SOURCES:
        for leftover in source.clone(project).parent.glob(f"{_SCRATCH}*"):  # of a killed command
            shutil.rmtree(leftover, ignore_errors=True)
    return tuple(_ensure_clone(project, source, origins.get(source.name)) for source in SOURCES)


def _ensure_clone(project: Path, source: Source, origin: Origin | None) -> Checkout:
    if origin and origin.directory:
        require_project(source, origin.directory)
        return _checkout(source, origin.directory, f"in place at {origin.directory}")
    clone = source.clone(project)
    private_directory(clone.parent)  # git writes the URL into the clone, and the URL may contain a token
    if clone.exists():
        return _checkout(source, clone, _status(project, source, clone, origin))
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=clone.parent) as scratch:
        new = Path(scratch) / source.name
        if origin:
            clone_from(source, origin, new)
        else:
            _import_package(project / "packages" / source.name, new)
        require_project(source, new)
        new.rename(clone)
    return _checkout(source, clone, "cloned")


def _checkout(source: Source, directory: Path, status: str) -> Checkout:
    return Checkout(source=source, directory=directory, status=status, version=version_of_clone(directory))


def clone_from(source: Source, origin: Origin, new: Path) -> None:
    """Clone a repository with its submodules to a new directory, and check out its ref.

    Raises:
        SourceError: git failed.
    """
    try:
        env = git.network_environment(new.parent)
        git.download(new.parent, "clone", "--quiet", "--origin=origin", "--", origin.url, str(new), env=env)
        (new / ".git" / "config").chmod(0o600)
        if origin.ref:
            git.run(new, "checkout", "--quiet", origin.ref, "--", env=env)
        if (new / ".gitmodules").is_file():
            # A remote repository must not clone directories of this machine as submodules.
            local = ":file" if origin.url.startswith("file:") else ""
            env["GIT_ALLOW_PROTOCOL"] = git.PROTOCOLS + local
            git.download(new, "submodule", "--quiet", "update", "--init", "--recursive", env=env)
    except SourceError as error:
        raise SourceError(
            f"cannot clone {source.name} from {origin}",
            detail=error.detail,
            remedy="check the URL, the ref and your access to the repository; git runs without password prompts",
        ) from error


def _import_package(package: Path, new: Path) -> None:
    """Create a repository from a directory in packages/.

    In the repository, `git diff` shows a developer's edits.
    """
    content.copy(package, new)
    identity = {"user.name": "hubpod", "user.email": "hubpod@localhost", "commit.gpgsign": "false"}
    git.run(new, "init", "--quiet", "--initial-branch=main")
    git.run(new, "add", "--all")
    message = f"Imported from packages/{package.name}\n\n{IMPORTED}: {content.digest(package)}"
    git.run(new, "commit", "--quiet", "--no-verify", "-m", message, config=identity)


def _status(project: Path, source: Source, clone: Path, origin: Origin | None) -> str:
    if not (clone / ".git").exists():
        raise SourceError(
            f"cannot use {clone} as the clone of {source.name}, because it is not a git repository",
            remedy=f"move it away, or use it in place with --source {source.name}={clone}",
        )
    require_project(source, clone)
    files = len(git.list_changes(clone))
    if origin:
        _require_origin(source, clone, origin)
    imported, digest = _import_record(clone)
    commits = len(git.local_commits(clone, since=imported))
    counts = ((files, "file"), (commits, "commit"))
    changes = ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)
    notes = [f"modified: {changes}"] if changes else []
    if digest and digest != content.digest(project / "packages" / source.name):
        notes.append(f"older than packages/{source.name}; move {clone} away to clone it again")
    return ", ".join(notes) or "unchanged"


def _require_origin(source: Source, clone: Path, origin: Origin) -> None:
    # `git remote get-url` would apply url.*.insteadOf. The URLs are masked because a new token is not a new repository.
    found = mask_secrets(git.run(clone, "config", "--get", "remote.origin.url", check=False).strip())
    if found != mask_secrets(origin.url):
        raise SourceError(
            f"{clone} was cloned from {found or 'packages/' + source.name}, not from {mask_secrets(origin.url)}",
            remedy="move it away to clone the other repository; a clone is never overwritten",
        )
    if origin.ref and not git.is_at(clone, origin.ref):
        raise SourceError(
            f"{clone} is not at {origin.ref}",
            remedy=f"run `git -C {clone} checkout {origin.ref}`, or omit the ref",
        )


def _import_record(clone: Path) -> tuple[str, str]:
    """Return a clone's first commit, and the digest of the package that it imported.

    Both are empty for a clone of another origin.
    """
    if not git.has_commit(clone):
        return "", ""
    trailer = f"%(trailers:key={IMPORTED},valueonly,separator=%x20)"
    log = git.run(clone, "log", "--reverse", "--fixed-strings", f"--grep={IMPORTED}: ", f"--format=%H {trailer}")
    found = (line.split() for line in log.splitlines())
    return next(((words[0], words[1]) for words in found if len(words) > 1), ("", ""))


def require_project(source: Source, directory: Path) -> None:
    """Refuse a directory that cannot be installed as a source.

    Raises:
        SourceError: The directory is not a Python project, or not that of the source.
    """
    require_package(source.name, source.contract, directory)
