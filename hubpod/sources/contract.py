"""What a source must contain, found in its files before anything is built from it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hubpod.errors import SourceError

BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py")
"""Where projects declare entry points and scripts, whatever builds them. setup.cfg alone makes no project."""

_DEPTH = 2
"""Directories between a project and its modules, or a repository and its projects, such as ``python/src``."""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What other parts use of a source.

    Attributes:
        declares: Groups of entry points, or names of scripts, that must be declared.
        module: The module that must exist; empty if only the declared names are used.
    """

    declares: tuple[str, ...]
    module: str = ""


def require_package(name: str, contract: Contract, directory: Path) -> None:
    """Refuse a directory that cannot be installed as a source.

    Args:
        name: Name of the source.
        contract: What the source must contain.
        directory: The directory.

    Raises:
        SourceError: The directory is not a Python project, or not that of the source.
    """
    problem = _find_problem(name, contract, directory)
    if problem:
        projects = _directories(directory) if directory.is_dir() else ()
        inner = next((each for each in projects if each != directory and not _find_problem(name, contract, each)), None)
        remedy = f"give {inner}, which has it" if inner else f"point --source {name} at the directory that has it"
        raise SourceError(f"{directory} {problem}", remedy=remedy)


def _find_problem(name: str, contract: Contract, directory: Path) -> str:
    if not any((directory / each).is_file() for each in BUILD_FILES if each != "setup.cfg"):
        return "is not a Python project: it has neither pyproject.toml nor setup.py"
    texts = {
        each: (directory / each).read_text(errors="replace") for each in BUILD_FILES if (directory / each).is_file()
    }
    try:
        project = tomllib.loads(texts.get("pyproject.toml", "")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        return f"has a pyproject.toml that is not TOML: {error}"
    text = "\n".join(texts.values())
    missing = [each for each in contract.declares if each not in text]
    if missing:
        own = f" but the project {project['name']}" if isinstance(project, dict) and "name" in project else ""
        return f"does not contain {name}{own}: {' and '.join(texts)} without {', '.join(missing)}"
    if contract.module and not any(_modules(directory, contract.module)):
        return f"does not contain {name}: it has no module {contract.module}"
    return ""


def _modules(directory: Path, module: str) -> Iterator[Path]:
    for parent in _directories(directory):
        yield from (path for path in (parent / module / "__init__.py", parent / f"{module}.py") if path.is_file())


def _directories(directory: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield a directory and the directories below it that a repository may have a project or modules in."""
    yield directory
    if depth:
        for path in sorted(directory.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith((".", "_")):
                yield from _directories(path, depth - 1)
