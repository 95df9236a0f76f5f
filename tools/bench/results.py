"""Results of a benchmark run, stored as JSON: each round's values, and machine facts."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hubpod.errors import UsageError
from hubpod.podman.cli import Podman
from hubpod.podman.machine import version_text
from hubpod.system import process

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Series:
    """The values of one metric of one case, one per round.

    Attributes:
        case: Name of the case.
        title: Label of the case.
        metric: Name of the metric; empty for the duration of the commands. The unit is seconds unless the name ends
            with another.
        tool: Name of the measured tool.
        values: In the order of the rounds.
    """

    case: str
    title: str
    metric: str
    tool: str
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """Title and metric."""
        return ", ".join(filter(None, (self.title, self.metric)))

    @property
    def in_seconds(self) -> bool:
        """Whether the metric is a duration."""
        return not self.metric.endswith(("number", "MiB"))

    @property
    def key(self) -> tuple[str, str, str]:
        """The identity of the series within a run."""
        return self.case, self.metric, self.tool


@dataclass(frozen=True, kw_only=True)
class Results:
    """One benchmark run.

    Attributes:
        machine: Facts about the machine and the commit, as `describe_machine` returns them.
        series: All measured series.
    """

    machine: Mapping[str, Any]
    series: tuple[Series, ...]

    def save(self, path: Path) -> None:
        """Write the results to a JSON file."""
        document = {"machine": dict(self.machine), "series": [asdict(each) for each in self.series]}
        path.write_text(json.dumps(document, indent=1) + "\n")


def load(path: Path) -> Results:
    """Read results from a JSON file.

    Raises:
        UsageError: The file is unreadable or does not contain results.
    """
    try:
        document = json.loads(path.read_text())
        return Results(machine=dict(document["machine"]), series=tuple(map(_parse_series, document["series"])))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="name a file written by --json") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: contains no results", remedy="name a file written by --json") from None


def _parse_series(row: Mapping[str, Any]) -> Series:
    texts = {key: row[key] for key in ("case", "title", "tool")}
    metric = row["metric"] if "metric" in row else row["figure"]  # the key in files of earlier commits
    return Series(**texts, metric=metric, values=tuple(map(float, row["values"])))


def describe_machine(podman: Podman, project: Path) -> dict[str, Any]:
    """Collect facts about the machine, its load, and the measured commit."""
    info = podman.info()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": len(os.sched_getaffinity(0)),
        "memory_mib": round(memory / MIB),
        "kernel": platform.release(),
        "podman": version_text(podman.version),
        "storage": info["store"]["graphDriverName"],
        "rootless": bool(info["host"]["security"]["rootless"]),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": describe_commit(project),
    }


def describe_commit(project: Path) -> str:
    """Return the commit of a checkout, with `-dirty` when the checkout has changes."""
    words = ("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return process.run(["git", "-C", str(project), *words], check=False).stdout.strip() or "unknown"
