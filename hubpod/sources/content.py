"""What belongs to a source: the files that a build takes, and a digest of them."""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from hubpod.pod import File
from hubpod.sources import git

_CACHES = {".git", "__pycache__", ".venv", ".nox", ".tox"}
_CACHES |= {".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_BUILT = {"build", "dist"}  # by packaging tools at the root; a package of the source may well be called so

_BUILD_FILES = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|MANIFEST\.in|(hatch_build|pdm_build|build)\.py|requirements.*)"
)
_COMPILED = {".c", ".cc", ".cpp", ".cxx", ".f", ".f90", ".h", ".hpp", ".pxd", ".pxi", ".pyx", ".rs", ".go"}
_ROOTS = {"src", "lib"}

_SCRATCH = re.compile(r".*~|\.#.*|#.*#|\..*\.sw[a-z]|4913|.*___jb_(tmp|old)___|\.goutputstream-.*")

_ARCHIVAL = ".git_archival.txt"
_ARCHIVAL_TEXT = f"node: {'0' * 40}\nnode-date: 1970-01-01T00:00:00+00:00\ndescribe-name: 0.0.0\n"


def files(folder: Path) -> list[Path]:
    """What belongs to a source, sorted: all that git does not ignore, or all but caches where there is no git."""
    found = _listed(folder) if (folder / ".git").exists() else _walk(folder)
    return sorted(path for path in found if not is_scratch(path.name))


def is_scratch(name: str) -> bool:
    """Whether a file of that name is an editor's own, there while somebody writes: of vim, emacs, PyCharm, gedit."""
    return bool(_SCRATCH.fullmatch(name))


def digest(folder: Path) -> str:
    """What identifies the content; changes with every edit."""
    return _digest(folder, files(folder))


def installation(folder: Path) -> str:
    """What identifies all that an editable installation depends on; stays the same when code is edited.

    That is what tells how to build, what is compiled, and which modules and packages there are at the top: the code
    itself is looked for in the folder each time (PEP 660).
    """
    known = files(folder)
    top = {"/".join(path.parts[: 1 + (path.parts[0] in _ROOTS)]) for path in known if path.suffix == ".py"}
    read = [path for path in known if _BUILD_FILES.fullmatch(path.parts[0]) or path.suffix in _COMPILED]
    return hashlib.sha256(f"{_digest(folder, read)} {sorted(top)}".encode()).hexdigest()[:32]


def _digest(folder: Path, names: list[Path]) -> str:
    found = hashlib.sha256()
    for relative in names:
        path = folder / relative
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        executable = b"x" if not path.is_symlink() and os.access(path, os.X_OK) else b"-"
        for part in (os.fsencode(relative), executable, hashlib.sha256(content).digest()):
            found.update(part + b"\0")
    return found.hexdigest()[:32]


def copy(folder: Path, target: Path) -> None:
    """Copy the content to a folder; links stay links."""
    for relative in files(folder):
        to = target / relative
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / relative, to, follow_symlinks=False)


def snapshot(folder: Path) -> tuple[File, ...]:
    """The content as it is now, for a volume. A link brings what it leads to, if that is content, too."""
    root, known = folder.resolve(), files(folder)
    taken: dict[Path, Path] = {}
    for relative in known:
        if not (folder / relative).is_symlink():
            taken[relative] = relative
            continue
        # Never what is elsewhere on the machine, nor the repository's own files: there may be secrets.
        target = (folder / relative).resolve()
        behind = [each for each in known if (root / each).is_relative_to(target)]
        taken |= {relative / (root / each).relative_to(target): each for each in behind}
    return tuple(_file(folder / path, name) for name, path in taken.items() if not (folder / path).is_symlink())


def _file(path: Path, name: Path) -> File:
    return File(path=str(name), content=path.read_bytes(), mode=0o755 if os.access(path, os.X_OK) else 0o644)


def mark_complete(target: Path) -> None:
    """Tell setuptools-scm that a copied folder is complete.

    It asks git which files are package data. Where there is neither a repository nor git, it silently installs none of
    them, unless this file says that the folder comes from an archive of a repository.
    """
    build_files = (target / name for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    if any(re.search(rb"setuptools[-_.]scm", path.read_bytes()) for path in build_files if path.is_file()):
        archival = target / _ARCHIVAL
        archival.unlink(missing_ok=True)  # theirs is a template that `git archive` fills in, or a link
        archival.write_text(_ARCHIVAL_TEXT)


def _listed(folder: Path) -> set[Path]:
    found: set[Path] = set()
    root = folder.resolve()
    for name in git.ls_files(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository that is not part of this one
            found |= {Path(name) / inside for inside in files(path)}
        elif os.path.lexists(path) and path.parent.resolve() == root / Path(name).parent:  # not behind a link
            found.add(Path(name))
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        left_out = _CACHES | _BUILT if here == folder else _CACHES
        folders[:] = [name for name in folders if name not in left_out and not name.endswith(".egg-info")]
        for name in [*names, *links]:
            path = here / name
            # Sockets and pipes are no content; .git is a file in a submodule.
            wanted = name not in _CACHES and not name.endswith(".pyc")
            if wanted and (path.is_symlink() or path.is_file()):
                yield path.relative_to(folder)
