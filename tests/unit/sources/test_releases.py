"""Releases of the sources, with a real git."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hubpod.errors import SourceError, UsageError
from hubpod.sources import releases
from hubpod.sources.clones import SOURCE_NAMES, SOURCES, Checkout
from hubpod.sources.origins import Origin, parse_origins
from hubpod.system import process
from hubpod.workspace import Workspace
from support.sources import MODULE, write_project

PROJECT = Path(__file__).parents[3]
NAME = "bricsauthenticator"


@pytest.fixture(autouse=True)
def _no_git_configuration_of_the_tester(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(folder: Path, *args: str) -> str:
    """Run git in a directory, with an identity."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    argv = ["git", "-C", str(folder), *identity, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str = "Something") -> str:
    """Commit everything and return the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of hubpod with its two packages, and a repository with two tags.

    Each test copies them.
    """
    folder = tmp_path_factory.mktemp("originals")
    project, theirs = folder / "project", folder / "theirs"
    for name in SOURCE_NAMES:
        package = project / "packages" / name
        write_project(package, '[project]\nversion = "1.2.3"\n')
        (package / "code.py").write_text("answer = 42\n")
    for image in {source.image for source in SOURCES}:
        (project / "containers" / image).mkdir(parents=True)
        shutil.copy(PROJECT / "containers" / image / "release.lock", project / "containers" / image)
    (project / ".gitignore").write_text(".hubpod/\n*.log\n__pycache__/\n")
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project)
    theirs.mkdir()
    git(theirs, "init", "--quiet", "--initial-branch=main")
    for tag in ("v1", "v2"):
        write_project(theirs, f"# {tag}\n")
        commit(theirs, tag)
        git(theirs, "tag", "-a", "-m", tag, tag)
    return folder


@pytest.fixture
def project(originals: Path, tmp_path: Path) -> Path:
    """A clone of hubpod in a directory whose name looks like a pattern."""
    return shutil.copytree(originals / "project", tmp_path / "a[b]*" / "project")


@pytest.fixture
def repository(originals: Path, tmp_path: Path) -> Path:
    """Another repository with a commit for each of two tags. The branch is at the second one."""
    return shutil.copytree(originals / "theirs", tmp_path / "theirs")


def ensure(project: Path, origin: Origin | None = None) -> Checkout:
    """Return the release of the first source."""
    return releases.ensure_releases(Workspace(project=project), {NAME: origin} if origin else {})[0]


def release(project: Path, repository: Path, ref: str) -> Checkout:
    """Return the release of the first source from another repository."""
    return ensure(project, Origin(url=f"file://{repository}", ref=ref))


def kept(project: Path) -> set[str]:
    """List the directory of releases."""
    folder = project / ".hubpod" / "releases"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def exported(checkout: Checkout, target: Path) -> set[str]:
    """Return the names of the exported files."""
    checkout.export(target)
    return {path.name for path in target.rglob("*")}


def test_default_release_is_the_committed_package(project: Path) -> None:
    """Without --source, the package of this checkout is used in place.

    Its version and commit are reported.
    """
    found = ensure(project)

    assert found.directory == project / "packages" / NAME
    assert found.status == f"1.2.3, commit {git(project, 'rev-parse', 'HEAD')[:12]}"
    assert not (project / ".hubpod").exists()


def edited(package: Path) -> None:
    """Change a file of the package."""
    (package / "code.py").write_text("answer = 43\n")


def added(package: Path) -> None:
    """Add a file to the package that git does not track."""
    (package / "more.py").write_text("")


def staged(package: Path) -> None:
    """Stage a new file without a commit."""
    added(package)
    git(package, "add", "more.py")


def removed(package: Path) -> None:
    """Remove a file of the package."""
    (package / "code.py").unlink()


def added_unseen(package: Path) -> None:
    """Add a file to the package, and configure git to hide new files."""
    added(package)
    git(package, "config", "status.showUntrackedFiles", "no")


@pytest.mark.parametrize("change", [edited, added, staged, removed, added_unseen], ids=lambda change: change.__name__)
def test_package_with_changes_is_refused(project: Path, change: Callable[[Path], None]) -> None:
    """A package with changes that are not committed is refused, and the error has two remedies."""
    change(project / "packages" / NAME)

    with pytest.raises(SourceError, match="has changes that are not committed") as caught:
        ensure(project)

    assert str(project / "packages" / NAME) in caught.value.message
    assert "or give --source NAME=URL@REF" in caught.value.remedy


def test_ignored_files_are_not_released(project: Path, tmp_path: Path) -> None:
    """Files that are in no commit do not get into an image, even if git ignores them."""
    (project / "packages" / NAME / "debug.log").write_text("the developer's")

    with suppress(SourceError):  # to refuse it is as good
        assert exported(ensure(project), tmp_path / "export") == {"pyproject.toml", MODULE, "code.py"}


def test_changes_outside_a_package_are_ignored(project: Path) -> None:
    """Edits beside a package or in the other package do not affect it."""
    (project / "notes.txt").write_text("x")
    edited(project / "packages" / SOURCE_NAMES[1])

    with pytest.raises(SourceError, match=SOURCE_NAMES[1]):
        ensure(project)


def test_package_without_git_is_used(project: Path) -> None:
    """If hubpod comes from an archive, there is no commit to report and nothing to compare with."""
    shutil.rmtree(project / ".git")
    edited(project / "packages" / NAME)

    assert ensure(project).status == "1.2.3"


@pytest.mark.parametrize("ref", ["v1", "commit"])
def test_release_is_a_tag_or_a_full_commit(project: Path, repository: Path, ref: str) -> None:
    """A tag or full commit id is cloned to a private directory, and its commit is reported."""
    whole = git(repository, "rev-parse", "v1^{commit}")
    ref = whole if ref == "commit" else ref

    found = release(project, repository, ref)

    assert (found.directory / "pyproject.toml").read_text().startswith("# v1\n")
    assert found.status == f"{ref}, commit {whole[:12]}"
    assert found.directory.parent.stat().st_mode & 0o077 == 0
    assert kept(project) == {found.directory.name}


@pytest.mark.parametrize("ref", ["main", "short commit", "HEAD"])
def test_movable_ref_is_refused(project: Path, repository: Path, ref: str) -> None:
    """A branch or short commit id is refused without a clone.

    The error names the full commit id.
    """
    whole = git(repository, "rev-parse", "main")

    with pytest.raises(SourceError, match="neither a tag nor a full commit id") as caught:
        release(project, repository, whole[:12] if ref == "short commit" else ref)

    assert caught.value.remedy == f"give the commit id: {whole}"
    assert kept(project) == set()
    assert release(project, repository, whole).directory.is_dir()


def test_branch_with_the_name_of_a_tag_is_refused(project: Path, repository: Path) -> None:
    """A branch that git checks out in the place of the tag is refused, because it can move."""
    git(repository, "tag", "main", "v1")

    with suppress(SourceError):  # to refuse it is as good
        assert (release(project, repository, "main").directory / "pyproject.toml").read_text().startswith("# v1\n")


@pytest.mark.parametrize("what", ["folder", "no ref"])
def test_origin_without_a_release_is_refused(project: Path, repository: Path, what: str) -> None:
    """A directory, or a repository without a ref, is for development only."""
    where = str(repository) if what == "folder" else f"file://{repository}"
    origins = parse_origins((f"{NAME}={where}",), SOURCE_NAMES)

    with pytest.raises(
        UsageError, match=f"--source {NAME}=.* is not a release, and production is built from releases"
    ) as caught:
        releases.ensure_releases(Workspace(project=project), origins)

    assert caught.value.remedy == "give URL@REF with a tag or a full commit id"
    assert not (project / ".hubpod").exists()


def test_error_masks_the_token_of_a_url(project: Path) -> None:
    """The error names the URL of the release without its token."""
    with pytest.raises(UsageError) as caught:
        ensure(project, Origin(url="https://token@host/repository.git"))

    assert "token" not in caught.value.message
    assert "https://***@host/repository.git" in caught.value.message


def test_a_release_is_cloned_once(project: Path, repository: Path) -> None:
    """An existing clone is used even if its repository no longer exists."""
    first = release(project, repository, "v1")
    repository.rename(repository.with_name("gone"))

    again = release(project, repository, "v1")

    assert (again.directory, again.digest(), again.status) == (first.directory, first.digest(), first.status)


def edited_clone(clone: Path) -> None:
    """Change a file of a clone."""
    (clone / "pyproject.toml").write_text("# mine\n")


def committed(clone: Path) -> None:
    """Commit an edit to a clone."""
    edited_clone(clone)
    commit(clone, "Mine")


def at_another_commit(clone: Path) -> None:
    """Check out another commit."""
    git(clone, "checkout", "--quiet", "v2")


def half_removed(clone: Path) -> None:
    """Remove a part of a clone, as a killed removal does."""
    (clone / ".git" / "HEAD").unlink()


def without_git(clone: Path) -> None:
    """Remove .git and keep the files."""
    shutil.rmtree(clone / ".git")


@pytest.mark.parametrize(
    "change",
    [edited_clone, added, added_unseen, committed, at_another_commit, half_removed, without_git],
    ids=lambda change: change.__name__,
)
def test_modified_release_is_cloned_again(project: Path, repository: Path, change: Callable[[Path], None]) -> None:
    """Edits of hubpod's clone of a release do not get into production."""
    first = release(project, repository, "v1")
    digest = first.digest()
    change(first.directory)

    again = release(project, repository, "v1")

    assert again.digest() == digest
    assert git(again.directory, "rev-parse", "HEAD") == git(repository, "rev-parse", "v1^{commit}")
    assert kept(project) == {first.directory.name}


def test_release_that_cannot_be_cloned_again_is_kept(project: Path, repository: Path) -> None:
    """A modified clone stays until it can be replaced, so that it is not lost without a network."""
    first = release(project, repository, "v1")
    edited_clone(first.directory)
    repository.rename(repository.with_name("gone"))

    with pytest.raises(SourceError, match="cannot clone"):
        release(project, repository, "v1")

    assert kept(project) == {first.directory.name}


def test_a_moved_tag_is_not_followed(project: Path, repository: Path) -> None:
    """A clone stays at its reported commit when its tag moves.

    The new commit can be requested by id.
    """
    first = release(project, repository, "v1")
    git(repository, "tag", "--force", "v1", "v2")

    again = release(project, repository, "v1")
    moved = release(project, repository, git(repository, "rev-parse", "v2^{commit}"))

    assert (again.digest(), again.status) == (first.digest(), first.status)
    assert (moved.directory / "pyproject.toml").read_text().startswith("# v2\n")
    assert kept(project) == {first.directory.name, moved.directory.name}


@pytest.mark.parametrize("ref", ["no-such-ref", "v1"])
def test_failed_clone_is_removed(project: Path, repository: Path, ref: str) -> None:
    """A missing ref or a repository without a Python project is an error.

    The next call works.
    """
    if ref == "v1":
        git(repository, "rm", "--quiet", "pyproject.toml")
        git(repository, "tag", "--force", "v1", commit(repository))

    with pytest.raises(SourceError, match=r"cannot clone|not a Python project"):
        release(project, repository, ref)

    assert kept(project) == set()
    assert release(project, repository, "v2").directory.is_dir()


def test_interrupted_clone_is_removed(project: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a clone leaves no directory that would count as a release."""
    run = process.run

    def interrupted(argv: list[str], **options: object) -> process.Result:
        result: process.Result = run(argv, **options)  # type: ignore[arg-type]
        if "clone" in argv:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(process, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release(project, repository, "v1")
    monkeypatch.undo()

    assert kept(project) == set()


def test_remains_of_a_killed_clone_are_removed(project: Path, repository: Path, tmp_path: Path) -> None:
    """An incomplete clone of a killed process is not used, and is removed later.

    The next command removes it.
    """
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *" clone "*) kill -9 $PPID; exit 1 ;; esac\nexec "{shutil.which("git")}" "$@"\n'
    )
    program.chmod(0o700)
    child = os.fork()
    if not child:
        os.environ["PATH"] = f"{program.parent}:{os.environ['PATH']}"
        try:
            release(project, repository, "v1")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)

    found = release(project, repository, "v1")

    assert (found.directory / "pyproject.toml").read_text().startswith("# v1\n")
    assert kept(project) == {found.directory.name}


def test_a_release_that_the_images_cannot_build_is_refused(project: Path, repository: Path) -> None:
    """A build backend that is not locked is named before anything is built."""
    write_project(repository, "[build-system]\nrequires = ['maturin']\nbuild-backend = 'maturin'\n")
    commit(repository, "v3")
    git(repository, "tag", "v3")

    with pytest.raises(SourceError, match="is built by maturin"):
        release(project, repository, "v3")


def test_a_release_has_the_version_of_its_tag(project: Path, repository: Path) -> None:
    """Build backends that take the version from git get it from the tag."""
    assert release(project, repository, "v2").version == "2"
    assert ensure(project).version == "1.2.3"
