"""The configuration of a repository that another developer wrote: none of its commands runs on this machine."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hubpod.errors import SourceError
from hubpod.sources import clones, releases
from hubpod.sources.clones import SOURCE_NAMES, Checkout
from hubpod.sources.origins import Origin
from hubpod.workspace import Workspace
from support.sources import MODULE, write_project

NAME = "bricsauthenticator"
ATTRIBUTES = "* filter=trap diff=trap merge=trap\n"
SETTINGS = (
    *("core.fsmonitor", "core.sshCommand", "core.askPass", "core.editor", "core.pager", "core.gitProxy"),
    *("core.alternateRefsCommand", "filter.trap.clean", "filter.trap.smudge", "filter.trap.process"),
    *("diff.external", "diff.trap.command", "diff.trap.textconv", "merge.trap.driver", "gpg.program"),
    *("gpg.ssh.program", "gpg.ssh.defaultKeyCommand", "credential.helper", "credential.https://host.helper"),
    *("pager.status", "pager.log", "sequence.editor", "trailer.imported-digest.command", "trailer.imported-digest.cmd"),
    *("remote.origin.uploadpack", "remote.origin.vcs", "uploadpack.packObjectsHook", "interactive.diffFilter"),
)
ALIASES = ("status", "log", "ls-files", "rev-parse", "rev-list", "config")
HOOKS = ("post-index-change", "post-checkout", "pre-commit", "post-commit", "reference-transaction", "pre-auto-gc")

Change = Callable[[Path, Path], None]


def git(directory: Path, *args: str) -> None:
    """Run git in a directory, with an identity and without the repository's hooks and monitor."""
    options = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "core.fsmonitor=false"]
    options += ["-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always"]
    argv = ["git", "-C", str(directory), *options, *args]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that records that it was run, and copies its input."""
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/sprung"\nexec cat\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a commit, attributes, and a file that was changed after the commit."""
    directory = tmp_path / "theirs"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    write_project(directory)
    (directory / ".gitattributes").write_text(ATTRIBUTES)
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "First")
    git(directory, "tag", "v1")
    return directory


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its two packages."""
    for name in SOURCE_NAMES:
        write_project(tmp_path / "project" / "packages" / name)
    return tmp_path / "project"


def use(project: Path, origin: Origin) -> Checkout:
    """Do everything that commands do with a source."""
    found = clones.ensure_clones(project, {NAME: origin})[0]
    found.digest(), found.installation_digest(), found.files()
    found.export(project / "export")
    return found


def change_later(path: Path) -> None:
    """Change the time of a file, so that git compares its content."""
    os.utime(path, (1, 1))


def set_everything(directory: Path, trap: Path) -> None:
    """Set everything that names a command to the trap."""
    for name in SETTINGS:
        git(directory, "config", name, str(trap))
    for name in ALIASES:
        git(directory, "config", f"alias.{name}", f"!{trap}")
    git(directory, "config", "filter.trap.required", "true")
    git(directory, "config", "log.showSignature", "true")
    git(directory, "config", "core.hooksPath", str(trap.parent / "hooks"))
    (trap.parent / "hooks").mkdir(exist_ok=True)
    for hook in HOOKS:
        for path in (trap.parent / "hooks" / hook, directory / ".git" / "hooks" / hook):
            path.write_bytes(trap.read_bytes())
            path.chmod(0o755)


def set_by_include(directory: Path, trap: Path) -> None:
    """Include a file with the settings."""
    included = trap.parent / "included"
    included.write_text(f'[core]\nfsmonitor = {trap}\n[filter "trap"]\nclean = {trap}\n')
    git(directory, "config", "include.path", str(included))


def set_for_the_worktree(directory: Path, trap: Path) -> None:
    """Set them in the worktree's own configuration."""
    git(directory, "config", "extensions.worktreeConfig", "true")
    for name in ("core.fsmonitor", "filter.trap.clean"):
        git(directory, "config", "--worktree", name, str(trap))


def set_odd_names(directory: Path, trap: Path) -> None:
    """Use the names that a simple parser misses."""
    (directory / ".git" / "info" / "attributes").write_text("* filter=a=b.c\n")
    git(directory, "config", "filter.a=b.c.clean", str(trap))
    git(directory, "config", "CORE.FSMonitor", str(trap))


def set_in_a_partial_clone(directory: Path, trap: Path) -> None:
    """Make the repository fetch missing objects with a command."""
    git(directory, "config", "extensions.partialClone", "origin")
    git(directory, "config", "remote.origin.promisor", "true")
    git(directory, "config", "remote.origin.url", f"ext::{trap}")
    for path in (directory / ".git" / "objects").glob("??/*"):
        path.unlink()


CHANGES: tuple[Change, ...] = (set_everything, set_by_include, set_for_the_worktree, set_odd_names)


@pytest.mark.parametrize("change", [*CHANGES, set_in_a_partial_clone], ids=lambda change: change.__name__)
def test_a_directory_in_place_runs_no_command(
    project: Path, repository: Path, trap: Path, tmp_path: Path, change: Change
) -> None:
    """A directory that is used in place gives its files, and its configuration runs nothing."""
    change(repository, trap)
    change_later(repository / "pyproject.toml")

    use(project, Origin(directory=repository))

    assert (project / "export" / "pyproject.toml").exists()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_clone_runs_no_command(project: Path, repository: Path, trap: Path, tmp_path: Path, change: Change) -> None:
    """Neither does an existing clone, whose status compares every file."""
    origin = Origin(url=f"file://{repository}", ref="v1")
    clone = use(project, origin).directory
    change(clone, trap)
    change_later(clone / "pyproject.toml")

    assert clones.ensure_clones(project, {NAME: origin})[0].status == "unchanged"
    write_project(clone, "# edited\n")
    assert clones.ensure_clones(project, {NAME: origin})[0].status == "modified: 1 file"
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_release_runs_no_command(project: Path, repository: Path, trap: Path, tmp_path: Path, change: Change) -> None:
    """Neither does the clone of a release, nor the repository from which it was cloned."""
    change(repository, trap)
    origin = Origin(url=f"file://{repository}", ref="v1")
    found = releases.ensure_releases(Workspace(project=project), {NAME: origin})[0]
    change(found.directory, trap)
    change_later(found.directory / "pyproject.toml")

    again = releases.ensure_releases(Workspace(project=project), {NAME: origin})[0]
    again.export(project / "export")

    assert not (tmp_path / "sprung").exists()


def test_a_submodule_runs_no_command(project: Path, repository: Path, trap: Path, tmp_path: Path) -> None:
    """Submodules have a configuration of their own, and are compared without its commands."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet", "--initial-branch=main")
    write_project(outer)
    git(outer, "submodule", "--quiet", "add", f"file://{repository}", "inner")
    git(outer, "add", ".")
    git(outer, "commit", "--quiet", "-m", "First")
    origin = Origin(url=f"file://{outer}")
    clone = use(project, origin).directory
    set_everything(clone, trap)
    for name in ("core.fsmonitor", "filter.trap.clean"):
        git(clone / "inner", "config", name, str(trap))
    change_later(clone / "inner" / "pyproject.toml")

    assert clones.ensure_clones(project, {NAME: origin})[0].status == "unchanged"
    (clone / "inner" / "pyproject.toml").write_text("edited\n")
    found = clones.ensure_clones(project, {NAME: origin})[0]
    found.digest()

    assert found.status == "modified: 1 file"
    assert not (tmp_path / "sprung").exists()


def test_a_submodules_url_runs_no_command(project: Path, repository: Path, trap: Path, tmp_path: Path) -> None:
    """A submodule with the URL of a command is refused."""
    (repository / ".gitmodules").write_text(f'[submodule "x"]\npath = x\nurl = ext::{trap}\nupdate = !{trap}\n')
    git(repository, "add", ".")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},x")
    git(repository, "commit", "--quiet", "-m", "Submodule")

    with pytest.raises(SourceError, match="cannot clone"):
        use(project, Origin(url=f"file://{repository}"))

    assert not (tmp_path / "sprung").exists()


def test_another_work_tree_is_not_read(project: Path, repository: Path, tmp_path: Path) -> None:
    """The files are those of the directory, also if its configuration names another one."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    git(repository, "config", "core.worktree", str(tmp_path / "elsewhere"))

    use(project, Origin(directory=repository))

    assert {path.name for path in (project / "export").iterdir()} == {".gitattributes", "pyproject.toml", MODULE}


VARIABLES = {
    "GIT_DIR": "/nonexistent",
    "GIT_WORK_TREE": "/nonexistent",
    "GIT_INDEX_FILE": "/nonexistent",
    "GIT_OBJECT_DIRECTORY": "/nonexistent",
    "GIT_COMMON_DIR": "/nonexistent",
    "GIT_NAMESPACE": "other",
    "GIT_CONFIG": "/nonexistent",
    "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
    "GIT_CONFIG_COUNT": "many",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_TEMPLATE_DIR": "/nonexistent",
    "GIT_ATTR_SOURCE": "nonexistent",
    "GIT_EXTERNAL_DIFF": "/nonexistent",
    "GIT_PAGER": "/nonexistent",
    "GIT_AUTHOR_DATE": "never",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
    "CDPATH": "/",
}


@pytest.mark.parametrize("name", VARIABLES)
def test_the_developers_environment_changes_no_content(
    project: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Variables that point git elsewhere change neither the content nor the status of a source."""
    origin = Origin(url=f"file://{repository}", ref="v1")
    before = use(project, origin).digest()
    fresh = shutil.copytree(project / "packages", tmp_path / "fresh" / "packages").parent
    monkeypatch.setenv(name, VARIABLES[name])

    again = use(project, origin)
    first, imported = clones.ensure_clones(fresh, {NAME: origin})

    assert (again.status, again.digest()) == ("unchanged", before)
    assert (first.status, first.digest()) == ("cloned", before)
    assert imported.status == "cloned"


def test_the_developers_own_settings_stay(project: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in variables, such as a rewritten URL, keep their effect."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{repository.parent}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://host/")

    assert use(project, Origin(url=f"https://host/{repository.name}")).status == "cloned"
