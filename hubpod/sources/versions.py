"""Versions of sources, for build backends that take them from git.

An image is built from files without version control. Such backends then need the version in a variable.
"""

import re
from pathlib import Path

from hubpod.sources import git

UNKNOWN = "0.0.0"
_RELEASE = re.compile(r"(?:^|[^0-9.])v?([0-9]+(?:\.[0-9]+)*(?:[._-]?(?:a|b|rc|post|dev)[._-]?[0-9]+)*)$", re.IGNORECASE)
SHORT = 12


def version_of_tag(tag: str) -> str:
    """Return the version at the end of a tag, such as 1.2 of `v1.2` and of `name-1.2`.

    The result is empty for a tag that does not end with a version.
    """
    match = _RELEASE.search(tag)
    return match[1] if match else ""


def version_of_release(clone: Path, ref: str) -> str:
    """Return the version of a clone at a tag or commit.

    A commit after a tag has the tag's version and the commit as its local part.
    """
    return (
        version_of_tag(ref) if _is_tag(clone, ref) and version_of_tag(ref) else _with_local(clone, f"g{_head(clone)}")
    )


def version_of_clone(directory: Path) -> str:
    """Return the version of a developer's directory: that of the last tag, with the local part `clone`.

    It stays the same while the developer commits, because another version would need another image.
    """
    return _with_local(directory, "clone")


def _with_local(directory: Path, local: str) -> str:
    described = ""
    if (directory / ".git").exists():
        described = git.run(directory, "describe", "--tags", "--abbrev=0", "--match=*[0-9]", check=False).strip()
    return f"{version_of_tag(described) or UNKNOWN}+{local}"


def _is_tag(clone: Path, ref: str) -> bool:
    return bool(git.run(clone, "rev-parse", "--verify", "--quiet", f"refs/tags/{ref}", check=False).strip())


def _head(clone: Path) -> str:
    return git.run(clone, "rev-parse", "HEAD").strip()[:SHORT]
