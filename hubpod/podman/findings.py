"""What a check of this machine found, and the checks that a build depends on."""

import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hubpod.errors import MachineError
from hubpod.podman.cli import Podman

DISK_NEEDED_GIB = 4.0
"""Base, two images and their build layers took 2.6 GiB when measured; the rest is room for edits."""

DISK_LEAST_GIB = 0.5


class Verdict(Enum):
    """How a check ended."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its name.
        verdict: Whether it stands in the way.
        text: What is there.
        remedy: What to do about it; empty when all is well.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""


def good(check: str, text: str) -> Finding:
    """Return the finding of a check that found nothing wrong."""
    return Finding(check=check, verdict=Verdict.GOOD, text=text)


def check_build_prerequisites(podman: Podman) -> tuple[Finding, ...]:
    """The quick checks of what a build needs; those that found something to tell.

    Raises:
        MachineError: A build cannot end well: there is next to no space where podman keeps its images.
    """
    info = podman.info()
    findings = (check_disk_space(Path(info["store"]["graphRoot"])), check_storage(info))
    for finding in findings:
        if finding.verdict is Verdict.BAD:
            raise MachineError(finding.text, remedy=finding.remedy)
    return tuple(finding for finding in findings if finding.verdict is Verdict.WARNING)


def check_storage(info: dict[str, Any]) -> Finding:
    """Check the storage driver that `podman info` reports."""
    driver = info["store"]["graphDriverName"]
    if driver != "vfs":
        return good("storage", driver)
    return Finding(
        check="storage",
        verdict=Verdict.WARNING,
        text="the storage driver vfs copies every layer: slow, and large",
        remedy='put `[storage]` and `driver = "overlay"` into storage.conf, then run `podman system reset` once',
    )


def check_disk_space(folder: Path) -> Finding:
    """Check the free space of the file system on which podman keeps its images."""
    free = shutil.disk_usage(folder).free / 2**30
    text = f"{free:.1f} GiB free below {folder}"
    if free >= DISK_NEEDED_GIB:
        return good("disk", text)
    verdict = Verdict.BAD if free < DISK_LEAST_GIB else Verdict.WARNING
    remedy = f"free some space, e.g. with `podman image prune`; {DISK_NEEDED_GIB:.0f} GiB are needed for a first build"
    return Finding(check="disk", verdict=verdict, text=f"only {text}", remedy=remedy)
