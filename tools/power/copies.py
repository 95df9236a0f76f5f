"""Copies of the project to put faults into, each with a Python in which the copy comes before everything installed."""

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

PLACE = "power"
LEFT_OUT = (
    *(".git", ".venv", ".nox", ".hubpod", "_dev_build_data", "__pycache__", "build", "dist", "*.egg-info"),
    *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
)
PACKAGES = ("bricsauthenticator", "slurmspawner_wrappers")


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of the project.

    Attributes:
        project: Its folder.
        python: An interpreter that imports hubpod and the packages from this copy, whatever its environment says.
    """

    project: Path
    python: Path

    def package(self, name: str) -> Path:
        """Where one of the packages is."""
        return self.project / "packages" / name


@contextmanager
def pristine(project: Path = PROJECT) -> Iterator[Path]:
    """Copy the project as it is now, for all faults alike; the place of all copies is removed at the end.

    One measurement at a time: a second one waits for the first. What a killed one has left is removed first.

    Raises:
        MachineError: Another measurement does not come to an end.
    """
    workspace = Workspace(project=project)
    place = workspace.state / PLACE
    with workspace.lock(PLACE, on_wait=_tell):
        shutil.rmtree(place, ignore_errors=True)
        private_directory(place)
        try:
            shutil.copytree(project, place / "pristine", symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
            yield place / "pristine"
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _tell(words: str) -> None:
    sys.stderr.write(f"{words}\n")


@contextmanager
def copied(source: Path, name: str) -> Iterator[Copy]:
    """Copy the pristine copy once more, for one fault, and remove it at the end, when nothing of its runs is left."""
    folder = source.parent / name
    project = folder / "project"
    try:
        shutil.copytree(source, project, symlinks=True)
        yield Copy(project=project, python=_python(folder / "python", project))
    finally:
        reaper.wait_for_all(Workspace(project=project).state)
        shutil.rmtree(folder, ignore_errors=True)


def _python(folder: Path, project: Path) -> Path:
    """Make an environment in front of this process's own.

    PYTHONPATH alone would not do: tests run the installed commands, and those have environments of their own. The
    installed packages come as plain entries of the path, so that those which are installed as links to the original
    are not found through them, while their entry points are.
    """
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    entries = [*_sources(project), *dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))]
    (folder / "lib" / version / "site-packages" / "power.pth").write_text("\n".join(map(str, entries)) + "\n")
    for package in PACKAGES:
        description = tomllib.loads((project / "packages" / package / "pyproject.toml").read_text())
        for command, entry in description["project"].get("scripts", {}).items():
            module, _, function = entry.partition(":")
            path = folder / "bin" / command
            path.write_text(f"#!{python}\nimport {module}\n{module}.{function}()\n")
            path.chmod(0o755)
    return python


def _sources(project: Path) -> list[Path]:
    return [*(project / "packages" / package / "src" for package in PACKAGES), project]


def require_own_modules(copy: Copy) -> None:
    """Make sure that the copy's code is what its tests would run.

    Raises:
        FaultError: A package comes from elsewhere, or cannot be imported.
    """
    for name in ("hubpod", *PACKAGES):
        code = f"import {name}; print({name}.__file__)"
        found = process.run([str(copy.python), "-c", code], cwd="/", check=False)
        if not found.ok or not Path(found.stdout.strip()).is_relative_to(copy.project.resolve()):
            raise FaultError(
                f"the tests of the copy {copy.project} would not run its {name}",
                remedy="install the checks' requirements in the environment that runs this script",
                detail=found.last_lines,
            )
