"""Copies of the project for faults, each with an interpreter that imports from the copy."""

import shutil
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hubpod.system import process
from hubpod.system.private_files import private_directory
from hubpod.workspace import Workspace
from hubpod_harness import reaper
from power.fault import PROJECT, FaultError

DIRECTORY = "power"
IGNORED = (
    *(".git", ".venv", ".nox", ".hubpod", "_dev_build_data", "__pycache__", "build", "dist", "*.egg-info"),
    *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
)
PACKAGES = ("bricsauthenticator", "slurmspawner_wrappers")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of the project.

    Attributes:
        project: Directory of the copy.
        python: Interpreter that imports hubpod and the packages from the copy.
    """

    project: Path
    python: Path

    def package(self, name: str) -> Path:
        """Return the directory of a package."""
        return self.project / "packages" / name


@contextmanager
def snapshot_project(project: Path = PROJECT) -> Iterator[Path]:
    """Copy the current state of the project, the source of the copies for all faults.

    Only one measurement runs at a time. The directory of all copies is removed before, in case a measurement was
    killed, and after.

    Raises:
        MachineError: Another measurement does not end in time.
    """
    workspace = Workspace(project=project)
    place = workspace.state / DIRECTORY
    with workspace.lock(DIRECTORY, on_wait=_log):
        shutil.rmtree(place, ignore_errors=True)
        private_directory(place)
        try:
            shutil.copytree(project, place / "snapshot", symlinks=True, ignore=shutil.ignore_patterns(*IGNORED))
            yield place / "snapshot"
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def copy_snapshot(source: Path, name: str) -> Iterator[Copy]:
    """Copy the snapshot for one fault, and remove the copy after the reapers of its runs."""
    directory = source.parent / name
    project = directory / "project"
    try:
        shutil.copytree(source, project, symlinks=True)
        yield Copy(project=project, python=_create_environment(directory / "python", project))
    finally:
        reaper.wait_for_all(Workspace(project=project).state)
        shutil.rmtree(directory, ignore_errors=True)


def _create_environment(directory: Path, project: Path) -> Path:
    """Create a virtual environment that imports the copy before the packages installed here.

    PYTHONPATH does not suffice, because tests run installed commands with environments of their own. Plain path entries
    find entry points, but ignore editable installs, which lead to the original.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(directory)
    python = directory / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    entries = [*_sources(project), *dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))]
    (directory / "lib" / version / "site-packages" / "power.pth").write_text("\n".join(map(str, entries)) + "\n")
    for package in PACKAGES:
        description = tomllib.loads((project / "packages" / package / "pyproject.toml").read_text())
        for command, entry in description["project"].get("scripts", {}).items():
            module, _, function = entry.partition(":")
            path = directory / "bin" / command
            path.write_text(f"#!{python}\nimport {module}\n{module}.{function}()\n")
            path.chmod(0o755)
    return python


def _sources(project: Path) -> list[Path]:
    return [*(project / "packages" / package / "src" for package in PACKAGES), project]


def require_own_modules(copy: Copy) -> None:
    """Check that the tests of a copy import its own code.

    Raises:
        FaultError: A package is imported from elsewhere, or cannot be imported.
    """
    for name in ("hubpod", *PACKAGES):
        code = f"import {name}; print({name}.__file__)"
        found = process.run([str(copy.python), "-c", code], cwd="/", check=False)
        if not found.ok or not Path(found.stdout.strip()).is_relative_to(copy.project.resolve()):
            raise FaultError(
                f"the tests of the copy {copy.project} import another {name}",
                remedy="run this script in the environment of the checks",
                detail=found.last_lines,
            )
