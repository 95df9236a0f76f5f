"""Clones of the development repositories, with a real git."""

import subprocess
from pathlib import Path

import pytest

from hubpod import sources
from hubpod.errors import SourceError, UsageError
from hubpod.origins import Origin, parse_origins
from hubpod.sources import SOURCE_NAMES, Checkout

NAME = "bricsauthenticator"


def git(folder: Path, *args: str) -> str:
    """Run git in a folder, with an identity."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    argv = ["git", "-C", str(folder), *identity, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its two packages."""
    for name in SOURCE_NAMES:
        folder = tmp_path / "project" / "packages" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text("[project]\n")
        (folder / "code.py").write_text("answer = 42\n")
        (folder / ".gitignore").write_text("*.log\n")
    return tmp_path / "project"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's repository with two commits, the first one tagged v1."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for tag in ("v1", "v2"):
        (folder / "pyproject.toml").write_text(f"# {tag}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", tag)
        git(folder, "tag", tag)
    return folder


def checkout(project: Path, origin: Origin | None = None) -> Checkout:
    """The checkout of the first source."""
    return sources.ensure(project, {NAME: origin} if origin else {})[0]


def test_the_default_clone_is_a_repository_that_shows_edits(project: Path) -> None:
    """A clone of ours has one commit, so that `git diff` shows what a developer changed."""
    found = checkout(project)
    (found.folder / "code.py").write_text("answer = 43\n")

    assert found.status == "cloned"
    assert "+answer = 43" in git(found.folder, "diff")


def test_an_existing_clone_is_left_alone_and_reported_as_modified(project: Path) -> None:
    """A second call keeps the developer's edit and counts the files."""
    folder = checkout(project).folder
    assert checkout(project).status == "as it was"
    (folder / "code.py").write_text("mine\n")

    again = checkout(project)

    assert again.status == "modified: 1 file"
    assert (folder / "code.py").read_text() == "mine\n"


def test_a_clone_that_the_package_has_left_behind_is_reported(project: Path) -> None:
    """When packages/ has moved on, the developer is told that the clone is older, and how to get the new one."""
    checkout(project)
    (project / "packages" / NAME / "code.py").write_text("answer = 44\n")

    assert "older than packages/bricsauthenticator" in checkout(project).status


def test_a_folder_that_is_no_repository_is_refused(project: Path) -> None:
    """What stands in the place of a clone and is none is neither used nor overwritten."""
    folder = project / "containers" / "jupyterhub" / "_dev_build_data" / NAME
    folder.mkdir(parents=True)
    (folder / "precious").write_text("x")

    with pytest.raises(SourceError, match="not a git repository") as caught:
        checkout(project)

    assert "move it away" in caught.value.remedy
    assert (folder / "precious").read_text() == "x"


def test_another_repository_is_cloned_at_its_ref(project: Path, repository: Path) -> None:
    """URL@REF gives that ref; the second call keeps it."""
    origin = Origin(url=f"file://{repository}", ref="v1")

    found = checkout(project, origin)

    assert (found.folder / "pyproject.toml").read_text() == "# v1\n"
    assert checkout(project, origin).status == "as it was"


def test_a_clone_of_another_url_is_not_taken_for_the_wanted_one(project: Path, repository: Path) -> None:
    """Asking for a repository where a clone of ours stands is refused with what stands there."""
    checkout(project)

    with pytest.raises(SourceError, match="was cloned from packages/bricsauthenticator"):
        checkout(project, Origin(url=f"file://{repository}"))


def test_a_clone_at_another_ref_is_not_taken_for_the_wanted_one(project: Path, repository: Path) -> None:
    """Asking for a ref that the clone is not at is refused with the command that changes it."""
    checkout(project, Origin(url=f"file://{repository}", ref="v1"))

    with pytest.raises(SourceError, match="is not at v2") as caught:
        checkout(project, Origin(url=f"file://{repository}", ref="v2"))

    assert "checkout v2" in caught.value.remedy


@pytest.mark.parametrize(("ref", "url"), [("", "file:///nowhere/at/all"), ("no-such-ref", "")])
def test_a_failed_clone_leaves_nothing_behind(project: Path, repository: Path, ref: str, url: str) -> None:
    """A URL or ref that does not exist gives one sentence, and the next call starts from nothing."""
    with pytest.raises(SourceError, match="cannot clone"):
        checkout(project, Origin(url=url or f"file://{repository}", ref=ref))

    assert not list((project / "containers" / "jupyterhub" / "_dev_build_data").iterdir())


def test_a_local_folder_is_used_in_place(project: Path, tmp_path: Path) -> None:
    """A folder is not copied, needs no git, and is what a build takes, without caches."""
    folder = tmp_path / "mine"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "x.pyc").write_text("")
    (folder / "setup.py").write_text("")

    found = checkout(project, Origin(folder=folder))
    found.export(tmp_path / "export")

    assert found.folder == folder
    assert [path.name for path in (tmp_path / "export").rglob("*")] == ["setup.py"]


def test_a_folder_without_a_python_project_is_refused(project: Path, tmp_path: Path) -> None:
    """A folder that cannot be installed is refused before anything is built."""
    with pytest.raises(SourceError, match="not a Python project"):
        checkout(project, Origin(folder=tmp_path))


def test_the_digest_follows_edits_new_files_and_nothing_else(project: Path) -> None:
    """What git ignores does not cause a build; edits and new files do."""
    found = checkout(project)
    before = found.digest()
    (found.folder / "debug.log").write_text("noise")
    assert found.digest() == before

    (found.folder / "new.py").write_text("")

    assert found.digest() != before


@pytest.mark.parametrize(
    ("where", "url", "ref"),
    [
        ("https://host/group/repo.git", "https://host/group/repo.git", ""),
        ("https://host/group/repo.git@main", "https://host/group/repo.git", "main"),
        ("https://user@host/repo@feature/x", "https://user@host/repo", "feature/x"),
        ("git@host:group/repo.git", "git@host:group/repo.git", ""),
        ("git@host:group/repo.git@v1.2", "git@host:group/repo.git", "v1.2"),
        ("ssh://git@host:2222/repo@abc123", "ssh://git@host:2222/repo", "abc123"),
    ],
)
def test_a_url_and_its_ref_are_told_apart(where: str, url: str, ref: str) -> None:
    """The `@` of a user and that of a ref are not confused."""
    assert parse_origins((f"{NAME}={where}",), SOURCE_NAMES) == {NAME: Origin(url=url, ref=ref)}


@pytest.mark.parametrize(
    "value",
    [
        f"{NAME}=ext::sh -c 'touch x'",
        f"{NAME}=--upload-pack=touch x",
        f"{NAME}=https://host/repo@--upload-pack=x",
        f"{NAME}=ftp://host/repo",
        f"{NAME}=/no/such/folder",
        f"{NAME}=",
        NAME,
        "bricsauthenticatr=https://host/x",
    ],
)
def test_what_is_neither_a_folder_nor_a_clean_url_is_refused(value: str) -> None:
    """URLs that would run commands, options in disguise, missing folders and unknown names are refused."""
    with pytest.raises(UsageError, match="--source"):
        parse_origins((value,), SOURCE_NAMES)
