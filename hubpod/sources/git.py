"""Calls of git that never ask a question, and whose failures are sentences."""

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import SourceError
from hubpod.sources.origins import mask_secrets
from hubpod.system import process
from hubpod.system.process import Result

PROTOCOLS = "git:http:https:ssh"
"""What may be cloned with; ext:: and others run commands that stand in the URL."""

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # set but empty: neither core.askPass nor SSH_ASKPASS opens a window
    "GCM_INTERACTIVE": "never",
    "GIT_ALLOW_PROTOCOL": f"{PROTOCOLS}:file",
}
# A hook or a task run by git exports these; they would point at the project's own repository.
_INHERITED = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"}


def run(
    folder: Path,
    *args: str,
    config: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """What a git command in a folder writes to standard output.

    Raises:
        SourceError: The command failed and check is true.
    """
    options = [part for setting in config for part in ("-c", setting)]
    inherited = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    # Where the folder's own .git is broken, git would go on to that of the project around it.
    ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    environment = {**inherited, **_ENVIRONMENT, **ceiling, **(env or {})}
    result = process.run(["git", "-C", str(folder), *options, *args], env=environment, check=False)
    if check and not result.ok:
        raise _error(folder, args[0], result)
    return result.stdout


def _error(folder: Path, command: str, result: Result) -> SourceError:
    detail = tuple(mask_secrets(line) for line in result.last_lines)
    trust = next((line.strip() for line in detail if "config" in line and "safe.directory" in line), "")
    if trust:
        return SourceError(
            f"{folder} belongs to another user, so git does not read it",
            remedy=f"run `{trust}` if you trust what is in it",
            detail=detail,
        )
    return SourceError(
        f"`git {command}` failed in {folder}",
        remedy="run the command there yourself and put right what git says",
        detail=detail,
    )


def ssh_environment(folder: Path) -> dict[str, str]:
    """What keeps SSH from asking for passwords and host keys, unless the person has an SSH command of their own."""
    own = "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ
    if own or run(folder, "config", "--get", "core.sshCommand", check=False):
        return {}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}


def ls_files(folder: Path) -> set[str]:
    """Names of all that git does not ignore; a repository inside, a submodule or not, is one name."""
    # Quoted names are plain ASCII, so those that are not UTF-8 come through; their escapes are those of Python.
    listing = run(
        folder, "ls-files", "--cached", "--others", "--exclude-standard", config=("core.quotePath=true",)
    ).split("\n")
    return {os.fsdecode(ast.literal_eval(f"b{name}")) if name.startswith('"') else name for name in listing if name}


def has_commit(folder: Path) -> bool:
    """Whether anything was ever committed to what is checked out."""
    return bool(run(folder, "rev-parse", "--verify", "--quiet", "HEAD", check=False))


def local_commits(folder: Path, since: str = "") -> set[str]:
    """Commits made here: those since one of them, or those that no remote branch and no tag has."""
    if not has_commit(folder):
        return set()
    known = (since,) if since else ("--remotes", "--tags")
    return set(run(folder, "rev-list", "HEAD", "--not", *known).split())


def is_at(folder: Path, ref: str) -> bool:
    """Whether a ref is checked out, with or without commits made here on top of it."""
    wanted = run(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip()
    if not wanted or not has_commit(folder):
        return False
    between = run(folder, "rev-list", "--left-right", f"{wanted}...HEAD").split()
    return {commit.removeprefix(">") for commit in between} <= local_commits(folder)
