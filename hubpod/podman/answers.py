"""podman's output as values, the same for all supported versions of podman."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ContainerState:
    """State of one container of a pod.

    Attributes:
        name: podman's name, ``POD-CONTAINER``.
        image: Image reference that it was created from.
        state: podman's word: created, running, exited, paused …
        started: Last start in seconds since the epoch; 0 if it was never started.
        exit_code: Exit code of its last run.
        restarts: How often podman has restarted it.
        ports: Published ports, as container port to (host address, host port).
        labels: Its labels.
    """

    name: str
    image: str
    state: str
    started: int
    exit_code: int
    restarts: int
    ports: Mapping[int, tuple[str, int]]
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A named volume and its labels."""

    name: str
    labels: Mapping[str, str]


def container_state(row: Mapping[str, Any]) -> ContainerState:
    """Parse one row of ``podman ps --format json``, as podman 4 and 5 print it."""
    return ContainerState(
        name=row["Names"][0],
        image=row["Image"],
        state=row["State"],
        started=max(0, row.get("StartedAt") or 0),
        exit_code=row.get("ExitCode") or 0,
        restarts=row.get("Restarts") or 0,
        ports={
            port["container_port"] + offset: (port.get("host_ip") or "0.0.0.0", port["host_port"] + offset)  # noqa: S104
            for port in row.get("Ports") or ()
            for offset in range(port.get("range") or 1)
        },
        labels=row.get("Labels") or {},
    )
