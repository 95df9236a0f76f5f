"""Run git without prompts, and raise its failures as SourceError."""

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from hubpod.errors import SourceError
from hubpod.sources.origins import mask_secrets
from hubpod.system import process
from hubpod.system.process import Result

PROTOCOLS = "git:http:https:ssh"
"""Protocols to clone with. Others, such as ext::, run commands that the URL contains."""

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # the empty value disables core.askPass and SSH_ASKPASS, which open a window
    "GCM_INTERACTIVE": "never",
    "GIT_ALLOW_PROTOCOL": f"{PROTOCOLS}:file",
}
# git exports these to its hooks. They point at the project's own repository.
_INHERITED = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"}


def run(
    directory: Path,
    *args: str,
    config: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Run a git command in a directory and return its standard output.

    Args:
        directory: Directory to run it in.
        args: Command and arguments.
        config: Settings, each as NAME=VALUE.
        env: Additional environment variables.
        check: Raise if the command fails.

    Raises:
        SourceError: The command failed and check is true.
    """
    options = [part for setting in config for part in ("-c", setting)]
    inherited = {name: value for name, value in os.environ.items() if name not in _INHERITED}
    # If the directory's own .git is broken, git would use that of the project around it.
    ceiling = {"GIT_CEILING_DIRECTORIES": str(directory.parent)}
    environment = {**inherited, **_ENVIRONMENT, **ceiling, **(env or {})}
    result = process.run(["git", "-C", str(directory), *options, *args], env=environment, check=False)
    if check and not result.ok:
        raise _error(directory, args[0], result)
    return result.stdout


def _error(directory: Path, command: str, result: Result) -> SourceError:
    detail = tuple(mask_secrets(line) for line in result.last_lines)
    trust = next((line.strip() for line in detail if "config" in line and "safe.directory" in line), "")
    if trust:
        return SourceError(
            f"git refuses to read {directory}, because it belongs to another user",
            remedy=f"run `{trust}` if you trust its content",
            detail=detail,
        )
    return SourceError(
        f"`git {command}` failed in {directory}",
        remedy="run the command there and correct what git reports",
        detail=detail,
    )


def ssh_environment(directory: Path) -> dict[str, str]:
    """Return the variables that keep ssh from prompting.

    An ssh command that the user has configured stays in effect.
    """
    own = "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ
    if own or run(directory, "config", "--get", "core.sshCommand", check=False):
        return {}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}


def ls_files(directory: Path) -> set[str]:
    """List the names of all files that git does not ignore.

    A nested repository or submodule is one name.
    """
    # git quotes names that are not ASCII, with the escapes of Python, so even names that are not UTF-8 survive.
    listing = run(
        directory, "ls-files", "--cached", "--others", "--exclude-standard", config=("core.quotePath=true",)
    ).split("\n")
    return {os.fsdecode(ast.literal_eval(f"b{name}")) if name.startswith('"') else name for name in listing if name}


def has_commit(directory: Path) -> bool:
    """Whether the current branch has a commit."""
    return bool(run(directory, "rev-parse", "--verify", "--quiet", "HEAD", check=False))


def local_commits(directory: Path, since: str = "") -> set[str]:
    """Return the commits since a commit or, by default, since the remote branches and tags."""
    if not has_commit(directory):
        return set()
    known = (since,) if since else ("--remotes", "--tags")
    return set(run(directory, "rev-list", "HEAD", "--not", *known).split())


def is_at(directory: Path, ref: str) -> bool:
    """Whether a ref is checked out, possibly with local commits on top of it."""
    wanted = run(directory, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False).strip()
    if not wanted or not has_commit(directory):
        return False
    between = run(directory, "rev-list", "--left-right", f"{wanted}...HEAD").split()
    return {commit.removeprefix(">") for commit in between} <= local_commits(directory)
