"""Find out whether podman talks to a service on another machine or behind a socket.

Variables and files of the developer's own environment decide: CONTAINER_HOST, CONTAINER_CONNECTION and containers.conf.
hubpod needs the podman of this machine: it mounts directories into builds, and locks and addresses are those of this
machine.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hubpod.errors import MachineError
from hubpod.podman.cli import Podman

VARIABLES = {
    "CONTAINER_HOST": "run `unset CONTAINER_HOST`",
    "CONTAINER_CONNECTION": "run `unset CONTAINER_CONNECTION`",
}
FILE_REMEDY = "set `remote = false` below [engine] in containers.conf, or use the program podman and not podman-remote"
PROBLEM = "podman uses a remote service, and hubpod needs the podman of this machine"
_NO_ANSWER = ("Cannot connect to Podman", "unable to connect to Podman")


def require_local(podman: Podman) -> None:
    """Refuse a podman that uses a remote service.

    Raises:
        MachineError: It does, whether or not the service answers; names the service.
    """
    result = podman.run("info", "--format=json", check=False)
    try:
        info = json.loads(result.stdout)
    except ValueError:
        info = {}
    host = info.get("host", {}) if isinstance(info, dict) else {}
    silent = not result.ok and any(text in result.stderr for text in _NO_ANSWER)
    if host.get("serviceIsRemote") or silent or (not result.ok and _chosen_variables()):
        remedy = next(map(VARIABLES.__getitem__, _chosen_variables()), FILE_REMEDY)
        detail = () if result.ok else result.last_lines
        raise MachineError(f"{PROBLEM}: {_name(podman, host)}", remedy=remedy, detail=tuple(map(_mask, detail)))


def environment_facts() -> dict[str, object]:
    """Return the variables and files that decide whether podman is remote."""
    files = (path for path in _configuration_files() if os.access(path, os.R_OK))
    return {
        **{name: _mask(os.environ.get(name, "")) for name in VARIABLES},
        "configuration": [f"{path} {path.stat().st_mtime_ns}" for path in files],
    }


def _chosen_variables() -> list[str]:
    return [name for name in VARIABLES if os.environ.get(name)]


def _name(podman: Podman, host: dict[str, Any]) -> str:
    """Return the name of the service from what chose it, without a password."""
    chosen = [f"{name}={os.environ[name]}" for name in _chosen_variables()]
    if chosen:
        return _mask(" ".join(chosen))
    for row in _connections(podman):
        if row.get("Default"):
            return _mask(f"the connection {row.get('Name', '')} ({row.get('URI', '')})")
    return str(host.get("remoteSocket", {}).get("path") or "the default socket")


def _connections(podman: Podman) -> list[dict[str, Any]]:
    result = podman.run("system", "connection", "list", "--format=json", check=False)
    try:
        return [row for row in json.loads(result.stdout) if isinstance(row, dict)]
    except (ValueError, TypeError):
        return []


def _mask(text: str) -> str:
    return re.sub(r"(//[^/:@\s]*):[^/@\s]*@", r"\1:***@", text)


def _configuration_files() -> Iterator[Path]:
    """Yield the files of containers.conf(5) and podman-system-connection(1)."""
    for name in ("CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "PODMAN_CONNECTIONS_CONF"):
        if os.environ.get(name):
            yield Path(os.environ[name])
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    for directory in (Path("/usr/share/containers"), Path("/etc/containers"), own / "containers"):
        yield directory / "containers.conf"
        yield directory / "podman-connections.json"
        yield from sorted((directory / "containers.conf.d").glob("*.conf"))
