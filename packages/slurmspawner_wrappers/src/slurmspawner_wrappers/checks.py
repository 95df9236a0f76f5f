"""What a job of the calling account finds on this host, as facts for the hub's readiness check.

The request is one JSON object on standard input, and the answer is one JSON object. A problem is a few words such as
"does not exist"; an empty text means that nothing is wrong. Nothing that a file contains is printed.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from slurmspawner_wrappers import nodes

MARK = "slurmspawner_checks"
VERSION = 1
WRAPPERS = ("slurmspawner_sbatch", "slurmspawner_squeue", "slurmspawner_scancel")
MAX_REQUEST_BYTES = 64 * 1024
SLURM_LIMIT_S = 5.0
ACTIVATE_LIMIT_S = 8.0
HTTP_LIMIT_S = 3.0
"""Seconds, so that the hub has an answer in time although Slurm's commands wait for minutes."""
SPOOL_BYTES = 16 * 2**20
"""Free bytes of Slurm's spool below which a job may fail: the script, its environment and Slurm's own state."""


def answer(account: pwd.struct_passwd, environment: dict[str, str]) -> None:
    """Read the request, and print the facts."""
    request = json.loads(sys.stdin.read(MAX_REQUEST_BYTES) or "{}")
    if "node" in request:
        listing = _start(["sinfo", "--noheader", f"--nodes={request['node']}", "--format=%o"], environment)
        address = nodes.read_address(_output(listing, SLURM_LIMIT_S))
        sys.stdout.write(json.dumps({MARK: VERSION, "address": address}) + "\n")
        return
    facts: dict[str, Any] = {MARK: VERSION, "account": account.pw_name, "wrappers": _wrapper_problems()}
    partitions = _start(["sinfo", "--noheader", "--Node", "--format=%P|%a|%T|%N|%o"], environment)
    if "prefix" in request:
        facts["prefix"] = find_prefix_problem(str(request["prefix"]), str(request.get("command", "")), environment)
    if "data" in request:
        facts["data"] = _find_directory_problem(str(request["data"]))
    if "accounts" in request:
        facts["unknown_accounts"] = [str(each) for each in request["accounts"] if not _exists(str(each))]
    if request.get("home"):
        facts["home"] = find_home_problem(account.pw_dir)
    if request.get("spool"):
        facts["spool"] = _find_spool_problem(environment)
    if "hub" in request:
        facts["hub"] = find_hub_problem(str(request["hub"]))
    facts.update(nodes.read_partitions(_output(partitions, SLURM_LIMIT_S), str(request.get("partition", ""))))
    sys.stdout.write(json.dumps(facts) + "\n")


def _wrapper_problems() -> dict[str, str]:
    """Return the problem of each wrapper beside the one that runs."""
    directory = Path(os.path.abspath(sys.argv[0])).parent  # noqa: PTH100 - a link is part of the path that sudo permits
    return {name: find_wrapper_problem(directory / name) for name in WRAPPERS}


def find_wrapper_problem(path: Path) -> str:
    """Find what prevents an account from running a wrapper, or permits another one to change it."""
    try:
        status = path.stat()
    except OSError as error:
        return _describe(error)
    if not os.access(path, os.X_OK):
        return "is not executable"
    if status.st_uid != 0:
        return f"belongs to {_name_of(status.st_uid)} instead of root"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be changed by others than its owner"
    return ""


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def find_prefix_problem(prefix: str, command: str, environment: dict[str, str]) -> str:
    """Activate the notebooks' environment as a job does, and search for the server's command."""
    activate = Path(prefix) / "bin" / "activate"
    if not Path(prefix).is_dir():
        return _find_directory_problem(prefix)
    if not activate.is_file() or not os.access(activate, os.R_OK):
        return "has no readable bin/activate"
    script = 'source "$1/bin/activate" jupyter-user-env >/dev/null 2>&1 </dev/null; command -v -- "$2" >/dev/null'
    argv = ["bash", "-c", script, "bash", prefix, command]
    found = _output(_start(argv, environment), ACTIVATE_LIMIT_S) if command else ""
    return "" if found is not None else f"has no command {command} in jupyter-user-env"


def _find_directory_problem(path: str) -> str:
    try:
        os.scandir(path).close()
    except OSError as error:
        return _describe(error)
    return ""


def find_home_problem(home: str) -> str:
    """Find what prevents a job from writing to the home directory."""
    from slurmspawner_wrappers import room  # noqa: PLC0415 - only for accounts with a home

    try:
        room.write_to_home(home)
    except OSError as error:
        return _describe(error)
    return ""


def _exists(account: str) -> bool:
    try:
        return bool(pwd.getpwnam(account))
    except KeyError:
        return False


def _find_spool_problem(environment: dict[str, str]) -> str:
    """Find a directory of Slurm's daemons on this host without room for a job."""
    lines = (_output(_start(["scontrol", "show", "config"], environment), SLURM_LIMIT_S) or "").splitlines()
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    for name in ("SlurmdSpoolDir", "StateSaveLocation"):
        try:
            space = os.statvfs(values.get(name, ""))
        except OSError:
            continue  # on another host, or not for this account
        if space.f_bavail * space.f_frsize < SPOOL_BYTES:
            return f"{values[name]} ({name}) has less than {SPOOL_BYTES >> 20} MiB left"
    return ""


def find_hub_problem(url: str) -> str:
    """Request the version of the hub's API, as a server does before it starts."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415 - not for Slurm in the pod
    from urllib.parse import urlsplit  # noqa: PLC0415

    try:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=HTTP_LIMIT_S)
        connection.request("GET", parts.path)
        response = connection.getresponse()
        return "" if b'"version"' in response.read(MAX_REQUEST_BYTES) else f"answers with status {response.status}"
    except (OSError, ValueError, HTTPException) as error:
        return _describe(error)


def _start(argv: list[str], environment: dict[str, str]) -> subprocess.Popen[str] | None:
    """Start a command, or return None if there is no such command."""
    try:
        return subprocess.Popen(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        return None


def _output(process: subprocess.Popen[str] | None, limit_s: float) -> str | None:
    """Return the output of a command; None if it failed or takes too long."""
    if process is None:
        return None
    with process:
        try:
            out, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return out if process.returncode == 0 else None


def _describe(error: Exception) -> str:
    """Return a few words for an error, regardless of the host's language."""
    words = {
        "ENOENT": "does not exist",
        "ENOTDIR": "does not exist",
        "EACCES": "is not accessible",
        "EROFS": "is read-only",
        "ENOSPC": "is full",
        "EDQUOT": "is full (quota)",
        "ECONNREFUSED": "refuses connections",
        "ETIMEDOUT": "does not answer",
        "EHOSTUNREACH": "is not reachable",
        "ENETUNREACH": "is not reachable",
    }
    import errno  # noqa: PLC0415

    name = errno.errorcode.get(getattr(error, "errno", None) or 0, "")
    if name in words:
        return words[name]
    return "does not answer" if isinstance(error, TimeoutError) else f"cannot be used ({name or type(error).__name__})"
