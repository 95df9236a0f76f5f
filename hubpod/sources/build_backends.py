"""Whether the build backend of a release is among the locked ones, found before anything is built."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hubpod.errors import SourceError

LEGACY_REQUIRES = ("setuptools",)
"""What builds a project without a table `build-system` (PEP 518)."""

BUILD_PYTHON = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}
"""The Python of the images, for the environment markers of requirements."""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def require_locked_backend(name: str, directory: Path, lock: Path) -> None:
    """Refuse a project whose build needs packages that are not in a lock file.

    Args:
        name: Name of the source.
        directory: The project.
        lock: The lock file of the packages that build releases.

    Raises:
        SourceError: A requirement of the build is not in the lock file, or is invalid.
    """
    missing = tuple(_find_missing(_requirements(name, directory), locked_versions(lock)))
    if missing:
        raise SourceError(
            f"{name} is built by {', '.join(missing)} (build-system.requires of {directory / 'pyproject.toml'}), "
            f"which {lock.parent.name}/{lock.name} does not contain",
            remedy=f"add it to {lock.with_suffix('.in')} and run containers/lock, or change the build backend",
        )


def locked_versions(lock: Path) -> dict[str, str]:
    """Return the version of each package in a lock file, by its canonical name."""
    return {canonicalize_name(name): version for name, version in _PIN.findall(lock.read_text())}


def _requirements(name: str, directory: Path) -> tuple[Requirement, ...]:
    path = directory / "pyproject.toml"
    try:
        system = tomllib.loads(path.read_text()).get("build-system", {}) if path.is_file() else {}
        return tuple(map(Requirement, system.get("requires", LEGACY_REQUIRES)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, InvalidRequirement, AttributeError, TypeError) as error:
        raise SourceError(
            f"the build of {name} is unknown: build-system.requires of {path} cannot be read: {error}",
            remedy="correct it in the source",
        ) from None


def _find_missing(requirements: tuple[Requirement, ...], locked: dict[str, str]) -> Iterator[str]:
    """Yield the requirements that no locked package satisfies."""
    for each in requirements:
        if each.marker and not each.marker.evaluate(BUILD_PYTHON):
            continue
        version = locked.get(canonicalize_name(each.name))
        if each.url or version is None or not each.specifier.contains(version, prereleases=True):
            yield str(each)
