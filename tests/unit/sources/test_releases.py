"""What production is built from, with a real git."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from hubpod.errors import SourceError, UsageError
from hubpod.sources import releases
from hubpod.sources.clones import SOURCE_NAMES, Checkout
from hubpod.sources.origins import Origin, parse_origins
from hubpod.system import process

NAME = "bricsauthenticator"


@pytest.fixture(autouse=True)
def _no_git_configuration_of_the_tester(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)


def git(folder: Path, *args: str) -> str:
    """Run git in a folder, with an identity."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    argv = ["git", "-C", str(folder), *identity, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str = "Something") -> str:
    """Commit all that is there; the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of hubpod with its two packages, and somebody's repository with two tags; each test gets its copies."""
    folder = tmp_path_factory.mktemp("originals")
    project, theirs = folder / "project", folder / "theirs"
    for name in SOURCE_NAMES:
        package = project / "packages" / name
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
        (package / "code.py").write_text("answer = 42\n")
    (project / ".gitignore").write_text(".hubpod/\n*.log\n__pycache__/\n")
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project)
    theirs.mkdir()
    git(theirs, "init", "--quiet", "--initial-branch=main")
    for tag in ("v1", "v2"):
        (theirs / "pyproject.toml").write_text(f"# {tag}\n")
        commit(theirs, tag)
        git(theirs, "tag", "-a", "-m", tag, tag)
    return folder


@pytest.fixture
def project(originals: Path, tmp_path: Path) -> Path:
    """A clone of hubpod, in a folder with a name like a pattern."""
    return shutil.copytree(originals / "project", tmp_path / "a[b]*" / "project")


@pytest.fixture
def repository(originals: Path, tmp_path: Path) -> Path:
    """Somebody's repository with a commit for each of two tags; the second is also that of its branch."""
    return shutil.copytree(originals / "theirs", tmp_path / "theirs")


def ensure(project: Path, origin: Origin | None = None) -> Checkout:
    """The release of the first source."""
    return releases.ensure_releases(project, project / ".hubpod", {NAME: origin} if origin else {})[0]


def release(project: Path, repository: Path, ref: str) -> Checkout:
    """The release of the first source, from somebody's repository."""
    return ensure(project, Origin(url=f"file://{repository}", ref=ref))


def kept(project: Path) -> set[str]:
    """What lies in the folder of releases."""
    folder = project / ".hubpod" / "releases"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def exported(checkout: Checkout, target: Path) -> set[str]:
    """The names of what a build takes."""
    checkout.export(target)
    return {path.name for path in target.rglob("*")}


def test_ours_is_the_package_as_it_is_committed(project: Path) -> None:
    """Without --source the package of this checkout is taken in place, and its version and commit are told."""
    found = ensure(project)

    assert found.folder == project / "packages" / NAME
    assert found.status == f"1.2.3, commit {git(project, 'rev-parse', 'HEAD')[:12]}"
    assert not (project / ".hubpod").exists()


def edited(package: Path) -> None:
    """Change a file of the package."""
    (package / "code.py").write_text("answer = 43\n")


def added(package: Path) -> None:
    """Put a file into the package that git does not know."""
    (package / "more.py").write_text("")


def staged(package: Path) -> None:
    """Tell git of a new file, and commit nothing."""
    added(package)
    git(package, "add", "more.py")


def removed(package: Path) -> None:
    """Remove a file of the package."""
    (package / "code.py").unlink()


def added_unseen(package: Path) -> None:
    """Put a file into the package, where git is told to show no new files."""
    added(package)
    git(package, "config", "status.showUntrackedFiles", "no")


@pytest.mark.parametrize("change", [edited, added, staged, removed, added_unseen], ids=lambda change: change.__name__)
def test_ours_with_changes_is_refused(project: Path, change: Callable[[Path], None]) -> None:
    """Whatever a commit does not have is no release, and the two ways on are told."""
    change(project / "packages" / NAME)

    with pytest.raises(SourceError, match="has something that is not committed") as caught:
        ensure(project)

    assert str(project / "packages" / NAME) in caught.value.message
    assert "or give --source NAME=URL@REF" in caught.value.remedy


def test_ours_takes_nothing_that_git_ignores(project: Path, tmp_path: Path) -> None:
    """What lies in the package and is in no commit does not get into an image, even where git keeps quiet about it."""
    (project / "packages" / NAME / "debug.log").write_text("the developer's")

    with suppress(SourceError):  # to refuse it is as good
        assert exported(ensure(project), tmp_path / "export") == {"pyproject.toml", "code.py"}


def test_changes_elsewhere_do_not_matter_to_a_package(project: Path) -> None:
    """Each package is looked at by itself: what is edited beside it, or in the other one, is not in it."""
    (project / "notes.txt").write_text("x")
    edited(project / "packages" / SOURCE_NAMES[1])

    with pytest.raises(SourceError, match=SOURCE_NAMES[1]):
        ensure(project)


def test_hubpod_without_git_is_taken_as_it_is(project: Path) -> None:
    """Where hubpod came in an archive there is no commit to tell, and nothing to compare with."""
    shutil.rmtree(project / ".git")
    edited(project / "packages" / NAME)

    assert ensure(project).status == "1.2.3"


@pytest.mark.parametrize("ref", ["v1", "commit"])
def test_another_release_is_a_tag_or_a_whole_commit(project: Path, repository: Path, ref: str) -> None:
    """Both name the same for ever; what they name is cloned where nobody else can read it, and its commit is told."""
    whole = git(repository, "rev-parse", "v1^{commit}")
    ref = whole if ref == "commit" else ref

    found = release(project, repository, ref)

    assert (found.folder / "pyproject.toml").read_text() == "# v1\n"
    assert found.status == f"{ref}, commit {whole[:12]}"
    assert found.folder.parent.stat().st_mode & 0o077 == 0
    assert kept(project) == {found.folder.name}


@pytest.mark.parametrize("ref", ["main", "short commit", "HEAD"])
def test_what_may_be_another_commit_tomorrow_is_refused(project: Path, repository: Path, ref: str) -> None:
    """A branch or a part of a commit is refused with the whole commit to give instead, and leaves nothing."""
    whole = git(repository, "rev-parse", "main")

    with pytest.raises(SourceError, match="neither a tag nor a whole commit") as caught:
        release(project, repository, whole[:12] if ref == "short commit" else ref)

    assert caught.value.remedy == f"give the commit itself: {whole}"
    assert kept(project) == set()
    assert release(project, repository, whole).folder.is_dir()


def test_a_tag_is_meant_where_a_branch_has_its_name(project: Path, repository: Path) -> None:
    """A branch that git would check out in its place is not taken, as it may be another commit tomorrow."""
    git(repository, "tag", "main", "v1")

    with suppress(SourceError):  # to refuse it is as good
        assert (release(project, repository, "main").folder / "pyproject.toml").read_text() == "# v1\n"


@pytest.mark.parametrize("what", ["folder", "no ref"])
def test_what_is_no_release_is_refused(project: Path, repository: Path, what: str) -> None:
    """A folder in place, or a repository without a ref, is for development."""
    where = str(repository) if what == "folder" else f"file://{repository}"
    origins = parse_origins((f"{NAME}={where}",), SOURCE_NAMES)

    with pytest.raises(UsageError, match=f"--source {NAME}=.*: production is built from releases") as caught:
        releases.ensure_releases(project, project / ".hubpod", origins)

    assert caught.value.remedy == "give URL@REF with a tag or a whole commit"
    assert not (project / ".hubpod").exists()


def test_a_token_in_a_url_is_not_told(project: Path) -> None:
    """An error shows where a release should have come from, without the secret that was given with it."""
    with pytest.raises(UsageError) as caught:
        ensure(project, Origin(url="https://token@host/repository.git"))

    assert "token" not in caught.value.message
    assert "https://***@host/repository.git" in caught.value.message


def test_a_release_is_cloned_once(project: Path, repository: Path) -> None:
    """The second time the clone that is there serves, also when its repository has gone."""
    first = release(project, repository, "v1")
    repository.rename(repository.with_name("gone"))

    again = release(project, repository, "v1")

    assert (again.folder, again.digest(), again.status) == (first.folder, first.digest(), first.status)


def edited_clone(clone: Path) -> None:
    """Change a file of a clone."""
    (clone / "pyproject.toml").write_text("# mine\n")


def committed(clone: Path) -> None:
    """Commit an edit to a clone."""
    edited_clone(clone)
    commit(clone, "Mine")


def at_another_commit(clone: Path) -> None:
    """Check another commit out."""
    git(clone, "checkout", "--quiet", "v2")


def half_removed(clone: Path) -> None:
    """Leave of a clone what a removal leaves that was killed."""
    (clone / ".git" / "HEAD").unlink()


def without_git(clone: Path) -> None:
    """Leave the files of a clone alone."""
    shutil.rmtree(clone / ".git")


@pytest.mark.parametrize(
    "change",
    [edited_clone, added, added_unseen, committed, at_another_commit, half_removed, without_git],
    ids=lambda change: change.__name__,
)
def test_a_release_that_is_no_more_as_it_was_is_cloned_again(
    project: Path, repository: Path, change: Callable[[Path], None]
) -> None:
    """Nobody's edit gets into production by way of the clone that hubpod keeps."""
    first = release(project, repository, "v1")
    digest = first.digest()
    change(first.folder)

    again = release(project, repository, "v1")

    assert again.digest() == digest
    assert git(again.folder, "rev-parse", "HEAD") == git(repository, "rev-parse", "v1^{commit}")
    assert kept(project) == {first.folder.name}


def test_a_release_that_cannot_be_cloned_again_is_not_lost(project: Path, repository: Path) -> None:
    """An edited clone is replaced by a whole one, or stays: without a network there would be none."""
    first = release(project, repository, "v1")
    edited_clone(first.folder)
    repository.rename(repository.with_name("gone"))

    with pytest.raises(SourceError, match="cannot clone"):
        release(project, repository, "v1")

    assert kept(project) == {first.folder.name}


def test_a_moved_tag_is_not_followed(project: Path, repository: Path) -> None:
    """What was released stays what it was; its commit is told, and the new one can be had by naming its commit."""
    first = release(project, repository, "v1")
    git(repository, "tag", "--force", "v1", "v2")

    again = release(project, repository, "v1")
    moved = release(project, repository, git(repository, "rev-parse", "v2^{commit}"))

    assert (again.digest(), again.status) == (first.digest(), first.status)
    assert (moved.folder / "pyproject.toml").read_text() == "# v2\n"
    assert kept(project) == {first.folder.name, moved.folder.name}


@pytest.mark.parametrize("ref", ["no-such-ref", "v1"])
def test_a_failed_clone_leaves_nothing(project: Path, repository: Path, ref: str) -> None:
    """A ref that does not exist, or a repository with nothing to install, is one sentence, and the next call works."""
    if ref == "v1":
        git(repository, "rm", "--quiet", "pyproject.toml")
        git(repository, "tag", "--force", "v1", commit(repository))

    with pytest.raises(SourceError, match=r"cannot clone|not a Python project"):
        release(project, repository, ref)

    assert kept(project) == set()
    assert release(project, repository, "v2").folder.is_dir()


def test_an_interrupted_clone_leaves_nothing(project: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while git clones leaves no folder that would be taken for a release."""
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


def test_a_killed_clone_is_no_release_and_goes_with_the_next(project: Path, repository: Path, tmp_path: Path) -> None:
    """What a process that was killed has left is not taken for a release, and does not stay for ever."""
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

    assert (found.folder / "pyproject.toml").read_text() == "# v1\n"
    assert kept(project) == {found.folder.name}
