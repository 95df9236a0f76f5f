"""Versions from tags, with a real git."""

import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from hubpod.sources.versions import version_of_clone, version_of_release, version_of_tag

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v0.7.0", "0.7.0"),
        ("0.7", "0.7"),
        ("V2", "2"),
        ("release-1.2.3", "1.2.3"),
        ("bricsauthenticator-v1.0.0rc1", "1.0.0rc1"),
        ("bricsauthenticator/1.0", "1.0"),
        ("v1.0.post1", "1.0.post1"),
        ("v1.0-rc.1", "1.0-rc.1"),
        ("2024.06.01", "2024.06.01"),
        ("latest", ""),
        ("nightly-abc", ""),
        ("", ""),
    ],
)
def test_a_tag_ends_with_the_version(tag: str, version: str) -> None:
    """The version is what follows the name and the letter v, and Python's packaging accepts it."""
    assert version_of_tag(tag) == version
    assert not version or Version(version)


def git(directory: Path, *words: str) -> str:
    """Run git."""
    return subprocess.run([*GIT, *words], cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with a tag, and a commit after it."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "one")
    git(tmp_path, "tag", "v0.7.0")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "two")
    return tmp_path


def test_a_release_has_the_version_of_its_tag(clone: Path) -> None:
    """A commit without a version of its own has that of the last tag, and names itself."""
    commit = git(clone, "rev-parse", "HEAD")
    git(clone, "tag", "stable")

    assert version_of_release(clone, "v0.7.0") == "0.7.0"
    assert version_of_release(clone, "stable") == f"0.7.0+g{commit[:12]}"
    assert version_of_release(clone, commit) == f"0.7.0+g{commit[:12]}"


def test_a_clone_has_the_version_of_its_last_tag(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A commit does not change it, so that it needs no other image. A directory without git has none."""
    before = version_of_clone(clone)
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "three")

    assert before == version_of_clone(clone) == "0.7.0+clone"
    assert version_of_clone(tmp_path_factory.mktemp("plain")) == "0.0.0+clone"
