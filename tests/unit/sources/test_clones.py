"""Clones of the development repositories, with a real git."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from hubpod.errors import SourceError, UsageError
from hubpod.sources import clones
from hubpod.sources import git as hubpod_git
from hubpod.sources.clones import SOURCE_NAMES, Checkout
from hubpod.sources.origins import Origin, mask_secrets, parse_origins
from support.sources import MODULE, write_project

NAME = "bricsauthenticator"


def git(folder: Path, *args: str) -> str:
    """Run git in a directory, with an identity."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "protocol.file.allow=always"]
    argv = ["git", "-C", str(folder), *identity, *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its two packages."""
    for name in SOURCE_NAMES:
        folder = tmp_path / "project" / "packages" / name
        write_project(folder)
        (folder / "code.py").write_text("answer = 42\n")
        (folder / ".gitignore").write_text("*.log\n")
    return tmp_path / "project"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Another repository with two commits, the first one tagged v1."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for tag in ("v1", "v2"):
        write_project(folder, f"# {tag}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", tag)
        git(folder, "tag", tag)
    return folder


def commit(folder: Path, name: str = "mine.py") -> None:
    """Commit a new file."""
    (folder / name).write_text("mine\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "Mine")


def exported(found: Checkout, target: Path) -> set[str]:
    """Return the names of the exported files."""
    found.export(target)
    paths = (path for path in target.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(target)) for path in paths}


def checkout(project: Path, origin: Origin | None = None) -> Checkout:
    """Return the checkout of the first source."""
    return clones.ensure_clones(project, {NAME: origin} if origin else {})[0]


def test_default_clone_shows_edits(project: Path) -> None:
    """A clone of packages/ has one commit, so that `git diff` shows the developer's edits."""
    found = checkout(project)
    (found.directory / "code.py").write_text("answer = 43\n")

    assert found.status == "cloned"
    assert "+answer = 43" in git(found.directory, "diff")


def test_existing_clone_is_kept_and_reported_as_modified(project: Path) -> None:
    """A second call keeps the developer's edit and counts the files."""
    folder = checkout(project).directory
    assert checkout(project).status == "unchanged"
    (folder / "code.py").write_text("mine\n")

    again = checkout(project)

    assert again.status == "modified: 1 file"
    assert (folder / "code.py").read_text() == "mine\n"


def test_outdated_clone_is_reported(project: Path) -> None:
    """The status of a clone older than packages/ names the way to a new clone."""
    checkout(project)
    (project / "packages" / NAME / "code.py").write_text("answer = 44\n")

    assert "older than packages/bricsauthenticator" in checkout(project).status


def test_url_of_a_clone_is_private(project: Path, repository: Path) -> None:
    """Other users cannot read the URL of a clone, even with umask 000.

    The URL may contain a token.
    """
    before = os.umask(0)
    try:
        folder = checkout(project, Origin(url=f"file://{repository}")).directory
    finally:
        os.umask(before)

    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / ".git" / "config").stat().st_mode) == 0o600


def test_directory_without_git_is_refused_as_clone(project: Path) -> None:
    """A directory in the place of a clone is neither used nor overwritten."""
    folder = project / "containers" / "jupyterhub" / "_dev_build_data" / NAME
    folder.mkdir(parents=True)
    (folder / "precious").write_text("x")

    with pytest.raises(SourceError, match="not a git repository") as caught:
        checkout(project)

    assert "move it away" in caught.value.remedy
    assert (folder / "precious").read_text() == "x"


def test_another_repository_is_cloned_at_its_ref(project: Path, repository: Path) -> None:
    """URL@REF checks out that ref, and the next call keeps it."""
    origin = Origin(url=f"file://{repository}", ref="v1")

    found = checkout(project, origin)

    assert (found.directory / "pyproject.toml").read_text().startswith("# v1\n")
    assert checkout(project, origin).status == "unchanged"


def test_clone_of_another_url_is_refused(project: Path, repository: Path) -> None:
    """A request for another repository is refused, and the error names the cloned one."""
    checkout(project)

    with pytest.raises(SourceError, match="was cloned from packages/bricsauthenticator"):
        checkout(project, Origin(url=f"file://{repository}"))


def test_clone_at_another_ref_is_refused(project: Path, repository: Path) -> None:
    """A request for another ref is refused with the command that checks it out."""
    checkout(project, Origin(url=f"file://{repository}", ref="v1"))

    with pytest.raises(SourceError, match="is not at v2") as caught:
        checkout(project, Origin(url=f"file://{repository}", ref="v2"))

    assert "checkout v2" in caught.value.remedy


@pytest.mark.parametrize(("ref", "url"), [("", "file:///nowhere/at/all"), ("no-such-ref", "")])
def test_failed_clone_is_removed(project: Path, repository: Path, ref: str, url: str) -> None:
    """A missing URL or ref is an error, and the next call starts from scratch."""
    with pytest.raises(SourceError, match="cannot clone"):
        checkout(project, Origin(url=url or f"file://{repository}", ref=ref))

    assert not list((project / "containers" / "jupyterhub" / "_dev_build_data").iterdir())


def test_local_directory_is_used_in_place(project: Path, tmp_path: Path) -> None:
    """A directory needs no git and is not copied, and a build takes its content without caches."""
    folder = tmp_path / "mine"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "x.pyc").write_text("")
    write_project(folder)

    found = checkout(project, Origin(directory=folder))
    found.export(tmp_path / "export")

    assert found.directory == folder
    assert [path.name for path in sorted((tmp_path / "export").rglob("*"))] == [MODULE, "pyproject.toml"]


def test_directory_without_a_python_project_is_refused(project: Path, tmp_path: Path) -> None:
    """A directory that cannot be installed is refused before any build."""
    with pytest.raises(SourceError, match="not a Python project"):
        checkout(project, Origin(directory=tmp_path))


def test_digest_changes_with_edits_and_new_files_only(project: Path) -> None:
    """Edits and new files change the digest, ignored files do not."""
    found = checkout(project)
    before = found.digest()
    (found.directory / "debug.log").write_text("noise")
    assert found.digest() == before

    (found.directory / "new.py").write_text("")

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
        ("https://host/r@feature/x", "https://host/r", "feature/x"),
        ("git@host:g/r@v1.2", "git@host:g/r", "v1.2"),
        ("https://host/@scope/repo@v1", "https://host/@scope/repo", "v1"),
        ("https://host/a@b/repo.git@feature/x", "https://host/a@b/repo.git", "feature/x"),
        ("https://host/repo@package@1.0", "https://host/repo", "package@1.0"),
        ("file:///tmp/a@b/repo", "file:///tmp/a@b/repo", ""),
        ("file:///tmp/a@b/repo@v1", "file:///tmp/a@b/repo", "v1"),
    ],
)
def test_ref_is_split_from_the_url(where: str, url: str, ref: str) -> None:
    """The `@` of a user is distinguished from the `@` of a ref."""
    assert parse_origins((f"{NAME}={where}",), SOURCE_NAMES) == {NAME: Origin(url=url, ref=ref)}


@pytest.mark.parametrize(
    "value",
    [
        f"{NAME}=ext::sh -c 'touch x'",
        f"{NAME}=--upload-pack=touch x",
        f"{NAME}=https://host/repo@--upload-pack=x",
        f"{NAME}=EXT::sh -c id",
        f"{NAME}=fd::17",
        f"{NAME}=ssh://-oProxyCommand=touch%20x/repo",
        f"{NAME}=ssh://git@-oProxyCommand=x/repo",
        f"{NAME}=git@-host:repo",
        f"{NAME}=git@host:--upload-pack=x",
        f"{NAME}=ftp://host/repo",
        f"{NAME}=/no/such/folder",
        f"{NAME}=https://[bad/x",
        f"{NAME}=~nosuchuser/x",
        f"{NAME}={'x' * 5000}",
        f"{NAME}=",
        NAME,
        "bricsauthenticatr=https://host/x",
    ],
)
def test_invalid_origin_is_refused(value: str) -> None:
    """URLs that run commands, option-like values and unknown names are refused.

    So are missing directories.
    """
    with pytest.raises(UsageError, match="--source"):
        parse_origins((value,), SOURCE_NAMES)


@pytest.mark.parametrize(("folder", "ref"), [("a@b", ""), ("a@b", "v1"), ("a@b", "feature/x"), ("a@b/c@d", "x@y")])
def test_ref_of_a_file_url_follows_the_existing_directory(tmp_path: Path, folder: str, ref: str) -> None:
    """An `@` in the path of a local repository does not split the path."""
    url = f"file://{tmp_path / folder}"
    (tmp_path / folder).mkdir(parents=True)

    origins = parse_origins((f"{NAME}={url}@{ref}" if ref else f"{NAME}={url}",), SOURCE_NAMES)

    assert origins == {NAME: Origin(url=url, ref=ref)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@host/r", "https://***@host/r"),
        ("'HTTP://secret@host:80/r@v1'", "'HTTP://***@host:80/r@v1'"),
        ("https://me@corp:secret@host/r", "https://***@host/r"),
        ("ssh://git:secret@host/r", "ssh://git:***@host/r"),
        ("ssh://git@host:22/r@v1", "ssh://git@host:22/r@v1"),
        ("https://host:80/r@feature/x", "https://host:80/r@feature/x"),
        ("git@host:g/r", "git@host:g/r"),
    ],
)
def test_tokens_in_urls_are_masked(text: str, shown: str) -> None:
    """Passwords are masked in any URL, and over HTTP the user too, because it may be a token."""
    assert mask_secrets(text) == shown


@pytest.mark.parametrize("value", ["nosuch=https://u:secret@host/r", f"{NAME}=ftp://u:secret@host/r"])
def test_error_about_a_source_masks_its_token(value: str) -> None:
    """The error for a wrong option does not contain the token in its value."""
    with pytest.raises(UsageError) as caught:
        parse_origins((value,), SOURCE_NAMES)

    assert "secret" not in str(caught.value)
    assert "secret" not in repr(Origin(url="https://u:secret@host/r"))


def test_error_of_a_failed_clone_masks_its_token(project: Path) -> None:
    """Neither the message nor git's output contains the token of the URL."""
    with pytest.raises(SourceError, match="cannot clone") as caught:
        checkout(project, Origin(url="http://user:secret@127.0.0.1:9/r", ref="v1"))

    texts = [caught.value.message, caught.value.remedy, *caught.value.detail, str(caught.value.__cause__)]
    assert "secret" not in "".join(texts)
    assert "http://***@127.0.0.1:9/r@v1" in caught.value.message


def test_submodule_is_content(project: Path, repository: Path, tmp_path: Path) -> None:
    """Submodules are cloned, and their files are in the digest and in the build."""
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "--quiet")
    commit(library, "lib.py")
    git(repository, "submodule", "--quiet", "add", f"file://{library}", "lib")
    commit(repository)

    found = checkout(project, Origin(url=f"file://{repository}"))

    assert exported(found, tmp_path / "export") == {".gitmodules", "pyproject.toml", MODULE, "mine.py", "lib/lib.py"}
    before = found.digest()
    (found.directory / "lib" / "lib.py").write_text("edited\n")
    assert found.digest() != before


def test_nested_repository_is_content_without_its_git_directory(project: Path, tmp_path: Path) -> None:
    """A nested repository contributes all files that it does not ignore.

    It may be added or not, and may be empty.
    """
    found = checkout(project)
    for name in ("added", "other", "empty"):
        (found.directory / name).mkdir()
        git(found.directory / name, "init", "--quiet")
    commit(found.directory / "added", "a.py")
    git(found.directory, "-c", "advice.addEmbeddedRepo=false", "add", "added")
    (found.directory / "other" / "o.py").write_text("")

    before = found.digest()
    names = exported(found, tmp_path / "export")

    assert names == {".gitignore", "pyproject.toml", MODULE, "code.py", "added/a.py", "other/o.py"}
    (found.directory / "other" / "o.py").write_text("edited")
    assert found.digest() != before


@pytest.mark.parametrize("with_git", [True, False])
def test_symbolic_links_stay_links(project: Path, tmp_path: Path, with_git: bool) -> None:  # noqa: FBT001 - a parameter
    """Links to files, to directories and to nothing are copied as links, with and without git."""
    folder = checkout(project).directory if with_git else tmp_path / "mine"
    folder.mkdir(exist_ok=True)
    (folder / "setup.py").write_text("")
    (folder / "data").mkdir()
    (folder / "data" / "x").write_text("")
    for name, to in (("to_file", "setup.py"), ("to_folder", "data"), ("to_nothing", "nowhere")):
        (folder / name).symlink_to(to)
    found = Checkout(source=clones.SOURCES[0], directory=folder, status="")

    names = exported(found, tmp_path / "export")

    assert found.digest()
    assert {"to_file", "to_folder", "to_nothing", "data/x"} <= names
    links = {path.name: str(path.readlink()) for path in (tmp_path / "export").iterdir() if path.is_symlink()}
    assert links == {"to_file": "setup.py", "to_folder": "data", "to_nothing": "nowhere"}


def test_names_that_are_not_utf8_are_content(project: Path, tmp_path: Path) -> None:
    """Names with any bytes, whitespace, quotes and line breaks are copied and digested."""
    found = checkout(project)
    names = [b"latin-\xe9.txt", 'grün "x".txt'.encode(), b"two\nlines", b" blank ", b"back\\slash", b"\x01\t"]
    for name in names:
        (found.directory / os.fsdecode(name)).write_text("x")

    found.export(tmp_path / "export")

    assert set(names) <= {os.fsencode(path.name) for path in (tmp_path / "export").iterdir()}
    assert found.digest()


def test_without_git_caches_and_build_output_are_excluded(project: Path, tmp_path: Path) -> None:
    """A package named `build` is content.

    Pipes, and the output of packaging tools at the root, are not.
    """
    folder = tmp_path / "mine"
    for name in ("build/x", "dist/x", "src/build/a.py", "src/dist/b.py", "src/.venv/c.py", "src/p.egg-info/d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    write_project(folder)
    os.mkfifo(folder / "pipe")

    names = exported(checkout(project, Origin(directory=folder)), tmp_path / "export")

    assert names == {"pyproject.toml", MODULE, "src/build/a.py", "src/dist/b.py"}


@pytest.mark.parametrize("theirs", ["", "node: $Format:%H$\n"])
def test_exported_directory_is_complete_for_setuptools_scm(project: Path, tmp_path: Path, theirs: str) -> None:
    """An exported directory is marked as an archive.

    A build has no git that could list package data.
    """
    found = checkout(project)
    (found.directory / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools-scm>=8"]\n')
    if theirs:
        (found.directory / ".git_archival.txt").write_text(theirs)

    found.export(tmp_path / "export")

    assert "$Format" not in (tmp_path / "export" / ".git_archival.txt").read_text()
    assert not theirs or (found.directory / ".git_archival.txt").read_text() == theirs


def test_url_that_git_rewrites_matches_its_clone(
    project: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that git rewrites matches its clone.

    Git's configuration may have url.*.insteadOf or another default remote name.
    """
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[url "file://{repository.parent}/"]\n\tinsteadOf = https://host/\n[clone]\n\tdefaultRemoteName = upstream\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    origin = Origin(url=f"https://host/{repository.name}")

    assert checkout(project, origin).status == "cloned"
    assert checkout(project, origin).status == "unchanged"


def test_commits_in_a_default_clone_are_counted(project: Path) -> None:
    """Committed and uncommitted edits are both counted."""
    folder = checkout(project).directory
    commit(folder)
    assert checkout(project).status == "modified: 1 commit"
    commit(folder, "more.py")
    (folder / "code.py").write_text("mine\n")
    (folder / "new").mkdir()
    (folder / "new" / "a.py").write_text("")
    (folder / "new" / "b.py").write_text("")

    assert checkout(project).status == "modified: 3 files, 2 commits"


def test_outdated_clone_with_commits_is_reported(project: Path) -> None:
    """The status has the developer's changes and says that the clone is older than the package."""
    commit(checkout(project).directory)
    (project / "packages" / NAME / "code.py").write_text("answer = 44\n")

    status = checkout(project).status

    assert status.startswith("modified: 1 commit, older than packages/bricsauthenticator")
    assert "remove" not in status


@pytest.mark.parametrize("ref", ["", "main", "v1", "feature/x"])
def test_commits_in_another_repository_are_counted(project: Path, repository: Path, ref: str) -> None:
    """Local commits are counted, and the clone still counts as being at its ref."""
    git(repository, "branch", "feature/x", "v1")
    origin = Origin(url=f"file://{repository}", ref=ref)
    commit(checkout(project, origin).directory)

    assert checkout(project, origin).status == "modified: 1 commit"


def test_newer_version_is_not_an_older_one_with_commits(project: Path, repository: Path) -> None:
    """A clone at v2 contains v1 but is not at v1, because the commits between are not local."""
    checkout(project, Origin(url=f"file://{repository}", ref="v2"))

    with pytest.raises(SourceError, match="is not at v1"):
        checkout(project, Origin(url=f"file://{repository}", ref="v1"))


def test_reinitialised_clone_is_used(project: Path) -> None:
    """After `git init` without a commit the status counts files only."""
    folder = checkout(project).directory
    (folder / ".git").rename(folder.parent / "old")
    git(folder, "init", "--quiet")

    assert checkout(project).status == "modified: 4 files"


def test_clone_of_another_user_is_refused_with_advice_of_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If git refuses a repository of another user, the error has the command that allows it."""
    checkout(project)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # which may trust every directory
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")

    with pytest.raises(SourceError, match="belongs to another user") as caught:
        checkout(project)

    assert "git config --global --add safe.directory" in caught.value.remedy


def test_broken_clone_is_refused(project: Path) -> None:
    """A clone with a broken .git is refused, and the project's repository is not used."""
    git(project, "init", "--quiet")
    folder = checkout(project).directory
    (folder / ".git" / "HEAD").unlink()

    with pytest.raises(SourceError, match=r"`git status` failed in .*bricsauthenticator") as caught:
        checkout(project)

    assert "not a git repository" in "".join(caught.value.detail)


@pytest.mark.parametrize(("own", "expected"), [("", "ssh -oBatchMode=yes"), ("ssh -i key", "ssh -i key")])
def test_git_never_prompts(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, expected: str
) -> None:
    """Ssh does not prompt unless the user has set an ssh command, and no window opens."""
    seen = tmp_path / "seen"
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$GIT_SSH_COMMAND|$GIT_ASKPASS|$GIT_TERMINAL_PROMPT" > {seen}\nexit 255\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_ASKPASS", "/bin/false")
    monkeypatch.delenv("GIT_SSH", raising=False)
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    if own:
        monkeypatch.setenv("GIT_SSH_COMMAND", own)

    with pytest.raises(SourceError, match="cannot clone"):
        checkout(project, Origin(url="git@host:group/repo"))

    assert seen.read_text().strip() == f"{expected}||0"


def test_configured_ssh_command_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's core.sshCommand is not overridden."""
    config = tmp_path / "gitconfig"
    config.write_text("[core]\n\tsshCommand = ssh -i key\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.delenv("GIT_SSH", raising=False)
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)

    assert "GIT_SSH_COMMAND" not in hubpod_git.network_environment(tmp_path)


def test_remains_of_a_killed_clone_are_removed(project: Path) -> None:
    """An incomplete clone of an earlier command is removed."""
    leftover = project / "containers" / "jupyterhub" / "_dev_build_data" / ".clone-abc"
    (leftover / NAME).mkdir(parents=True)

    checkout(project)

    assert [path.name for path in leftover.parent.iterdir()] == [NAME]
