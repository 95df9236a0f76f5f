"""Content of a source: the files that a build or a volume takes, and digests of them."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from hubpod.pod import File
from hubpod.sources import git
from hubpod.system.scratch_files import is_scratch

_CACHES = {".git", "__pycache__", ".venv", ".nox", ".tox"}
_CACHES |= {".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_BUILT = {"build", "dist"}  # written by packaging tools at the root; below it a package may have such a name

_BUILD_FILES = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|MANIFEST\.in|(hatch_build|pdm_build|build)\.py|requirements.*)"
)
_COMPILED = {".c", ".cc", ".cpp", ".cxx", ".f", ".f90", ".h", ".hpp", ".pxd", ".pxi", ".pyx", ".rs", ".go"}
_ROOTS = {"src", "lib"}

_ARCHIVAL = ".git_archival.txt"
_ARCHIVAL_TEXT = f"node: {'0' * 40}\nnode-date: 1970-01-01T00:00:00+00:00\ndescribe-name: 0.0.0\n"


def list_files(directory: Path) -> list[Path]:
    """List the files of a source, sorted.

    Files that git ignores are omitted. Without git, only caches are omitted.
    """
    found = _list_git_files(directory) if (directory / ".git").exists() else _walk(directory)
    return sorted(path for path in found if not is_scratch(path.name))


def digest(directory: Path) -> str:
    """Return the digest of the content, which changes with every edit."""
    return _digest(directory, list_files(directory))


def installation_digest(directory: Path) -> str:
    """Return the digest of an editable installation's inputs, which edits of code do not change.

    An editable installation (PEP 660) depends on the build configuration, the compiled files, and the names of the
    top-level modules and packages. Their code is imported from the directory.
    """
    known = list_files(directory)
    top = {"/".join(path.parts[: 1 + (path.parts[0] in _ROOTS)]) for path in known if path.suffix == ".py"}
    read = [path for path in known if _BUILD_FILES.fullmatch(path.parts[0]) or path.suffix in _COMPILED]
    return hashlib.sha256(f"{_digest(directory, read)} {sorted(top)}".encode()).hexdigest()[:32]


def _digest(directory: Path, names: list[Path]) -> str:
    result = hashlib.sha256()
    for relative in names:
        path = directory / relative
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        executable = b"x" if not path.is_symlink() and os.access(path, os.X_OK) else b"-"
        for part in (os.fsencode(relative), executable, hashlib.sha256(content).digest()):
            result.update(part + b"\0")
    return result.hexdigest()[:32]


def copy(directory: Path, target: Path) -> None:
    """Copy the content to another directory, with symbolic links as links."""
    for relative in list_files(directory):
        to = target / relative
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(directory / relative, to, follow_symlinks=False)


def snapshot(directory: Path) -> tuple[File, ...]:
    """Return the current content for a volume, with symbolic links replaced by their targets.

    A link is followed only to other content of the source. Files elsewhere on the machine, or in .git, may be secret.
    """
    root, known = directory.resolve(), list_files(directory)
    paths: dict[Path, Path] = {}
    for relative in known:
        if not (directory / relative).is_symlink():
            paths[relative] = relative
            continue
        target = (directory / relative).resolve()
        linked = [each for each in known if (root / each).is_relative_to(target)]
        paths |= {relative / (root / each).relative_to(target): each for each in linked}
    return tuple(_file(directory / path, name) for name, path in paths.items() if not (directory / path).is_symlink())


def _file(path: Path, name: Path) -> File:
    return File(path=str(name), content=path.read_bytes(), mode=0o755 if os.access(path, os.X_OK) else 0o644)


def mark_complete(target: Path) -> None:
    """Mark a copied directory as complete for setuptools-scm.

    setuptools-scm takes the list of package data from git. Without a repository it silently installs no package data,
    unless this file states that the directory comes from an archive of a repository.
    """
    build_files = (target / name for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    if any(re.search(rb"setuptools[-_.]scm", path.read_bytes()) for path in build_files if path.is_file()):
        archival = target / _ARCHIVAL
        archival.unlink(missing_ok=True)  # the source's own is a template for `git archive`, or a link
        archival.write_text(_ARCHIVAL_TEXT)


def _list_git_files(directory: Path) -> set[Path]:
    found: set[Path] = set()
    root = directory.resolve()
    for name in git.ls_files(directory):
        path = directory / name
        if path.is_dir() and not path.is_symlink():  # a submodule or another nested repository
            found |= {Path(name) / inside for inside in list_files(path)}
        elif os.path.lexists(path) and path.parent.resolve() == root / Path(name).parent:  # not below a link
            found.add(Path(name))
    return found


def _walk(directory: Path) -> Iterator[Path]:
    for root, subdirectories, names in os.walk(directory):
        here = Path(root)
        links = [name for name in subdirectories if (here / name).is_symlink()]
        excluded = _CACHES | _BUILT if here == directory else _CACHES
        subdirectories[:] = [name for name in subdirectories if name not in excluded and not name.endswith(".egg-info")]
        for name in [*names, *links]:
            path = here / name
            # Sockets and pipes are skipped. In a submodule .git is a file.
            wanted = name not in _CACHES and not name.endswith(".pyc")
            if wanted and (path.is_symlink() or path.is_file()):
                yield path.relative_to(directory)
