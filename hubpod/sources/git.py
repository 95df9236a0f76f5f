"""Run git without prompts, and raise its failures as SourceError.

No command that a repository's own configuration names is run: it may be another developer's.
"""

import ast
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from hubpod.errors import SourceError
from hubpod.sources.origins import mask_secrets
from hubpod.system import process
from hubpod.system.process import Result

PROTOCOLS = "git:http:https:ssh"
"""Protocols to clone with. Others, such as ext::, run commands that the URL contains."""

TRANSIENT = re.compile(
    r"Could not resolve host|Temporary failure in name resolution|Failed to connect|timed out|early EOF"
    r"|Connection reset|Connection closed by|unexpected disconnect|The requested URL returned error: (429|5\d\d)"
)
"""Failures of git and ssh that a network or server may overcome within a minute."""

RETRY_PAUSES_S = (1.0, 4.0, 15.0)
"""Pauses in seconds before each retry of a download after such a failure."""

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # the empty value disables core.askPass and SSH_ASKPASS, which open a window
    "GCM_INTERACTIVE": "never",
    # A query connects to no remote, not even for the missing objects of a partial clone.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # a query writes no index, which a developer's own git may be writing
    "LC_ALL": "C.UTF-8",  # messages are read below
}
# The developer's variables that stay: how to connect, and the files of the own configuration. Others, such as GIT_DIR,
# point at another repository.
_KEPT = re.compile(
    r"GIT_(SSH|SSL|HTTP|PROXY|TRACE|CURL|TEST)(_\w+)?|GIT_EXEC_PATH|GIT_CONFIG_((NO)?SYSTEM|GLOBAL|KEY_\d+|VALUE_\d+)"
)
# Settings of commands that queries would run. Settings in the environment take precedence over files.
_SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "log.showSignature": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
}
_FILTER = re.compile(r"filter\..*\.(clean|smudge|process|required)", re.DOTALL | re.IGNORECASE)
_GITLINK = re.compile(r"160000 .*?\t(.*)")


def run(
    directory: Path,
    *args: str,
    config: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Run a git command in a directory and return its standard output.

    Args:
        directory: Directory to run it in.
        args: Command and arguments.
        config: Values of settings, by name.
        env: Additional environment variables.
        check: Raise if the command fails.

    Raises:
        SourceError: The command failed and check is true.
    """
    environment = {**_environment(directory, {**_SETTINGS, **(config or {})}), **(env or {})}
    result = process.run(["git", "-C", str(directory), *args], env=environment, check=False)
    if check and not result.ok:
        raise _error(directory, args[0], result)
    return result.stdout


def download(directory: Path, *args: str, env: Mapping[str, str]) -> None:
    """Run a git command that downloads, and retry it after failures of the network.

    Args:
        directory: Directory to run it in.
        args: Command and arguments.
        env: Additional environment variables.

    Raises:
        SourceError: The command failed for another reason, or at each retry.
    """
    for pause in RETRY_PAUSES_S:
        try:
            run(directory, *args, env=env)
        except SourceError as error:
            if not any(map(TRANSIENT.search, error.detail)):
                raise
            time.sleep(pause)
        else:
            return
    run(directory, *args, env=env)


def _environment(directory: Path, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)}
    # If the directory's own .git is broken, git would use that of the project around it.
    place = {"GIT_CEILING_DIRECTORIES": str(directory.parent)}
    if (directory / ".git").exists():
        place["GIT_WORK_TREE"] = str(directory)  # core.worktree may name another directory
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    own = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings.items(), first):
        own |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {**kept, **_ENVIRONMENT, **place, **own}


def list_changes(directory: Path, *options: str) -> list[str]:
    """List the files that differ from the commit, and untracked ones, as lines of `git status --porcelain`.

    Submodules with changes are included.

    Raises:
        SourceError: The directory is not a repository, or is incomplete.
    """
    # git would check submodules with a git of its own, which reads their configuration without our settings.
    status = ("status", "--porcelain", "--untracked-files=all", "--ignore-submodules=dirty")
    lines = run(directory, *status, *options, config=_without_filters(directory)).splitlines()
    known = {line[3:] for line in lines}
    nested = (name for name in _submodules(directory) if name not in known and (directory / name / ".git").exists())
    return lines + [f" m {name}" for name in nested if list_changes(directory / name)]


def _without_filters(directory: Path) -> dict[str, str]:
    """Return settings that disable the filters in a repository's own configuration; those of the developer stay."""
    listing = run(directory, "config", "--list", "--show-scope", "--name-only", "-z", check=False).split("\0")
    own = {name for scope, name in zip(listing[::2], listing[1::2], strict=False) if scope in {"local", "worktree"}}
    return {name: "false" if name.endswith(".required") else "" for name in own if _FILTER.fullmatch(name)}


def _submodules(directory: Path) -> Iterator[str]:
    matches = map(_GITLINK.fullmatch, run(directory, "ls-files", "--stage", "-z").split("\0"))
    return (match[1] for match in matches if match)


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


def network_environment(directory: Path) -> dict[str, str]:
    """Return the variables that let git clone, and keep ssh from prompting.

    An ssh command that the user has configured stays in effect.
    """
    allowed = {"GIT_ALLOW_PROTOCOL": f"{PROTOCOLS}:file"}
    own = "GIT_SSH_COMMAND" in os.environ or "GIT_SSH" in os.environ
    if own or run(directory, "config", "--get", "core.sshCommand", check=False):
        return allowed
    return {**allowed, "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}


def ls_files(directory: Path) -> set[str]:
    """List the names of all files that git does not ignore.

    A nested repository or submodule is one name.
    """
    # git quotes names that are not ASCII, with the escapes of Python, so even names that are not UTF-8 survive.
    listing = run(
        directory, "ls-files", "--cached", "--others", "--exclude-standard", config={"core.quotePath": "true"}
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
