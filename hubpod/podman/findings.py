"""Findings of checks on this machine, and the checks before an image build."""

import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hubpod.errors import MachineError
from hubpod.podman.cli import Podman

DISK_NEEDED_GIB = 4.0
"""Enough for a first build: base, two images and their build layers took 2.6 GiB. The rest is room for edits."""

DISK_LEAST_GIB = 0.5
"""With less than this a build certainly fails."""


class Verdict(Enum):
    """Result of a check."""

    GOOD = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Finding of one check.

    Attributes:
        check: Name of the check.
        verdict: Whether hubpod works with the finding.
        text: What was found.
        remedy: What to do about it; empty when nothing is wrong.
    """

    check: str
    verdict: Verdict
    text: str
    remedy: str = ""


def good(check: str, text: str) -> Finding:
    """Return the finding of a successful check."""
    return Finding(check=check, verdict=Verdict.GOOD, text=text)


def check_build_prerequisites(podman: Podman) -> tuple[Finding, ...]:
    """Check disk space and storage driver before a build, and return the warnings.

    Raises:
        MachineError: A build is bound to fail, because the disk with podman's images is full.
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
        text="the storage driver vfs copies every layer, which is slow and takes much space",
        remedy='put `[storage]` and `driver = "overlay"` into storage.conf, then run `podman system reset` once',
    )


def check_disk_space(directory: Path) -> Finding:
    """Check the free space of the file system with podman's images."""
    free = shutil.disk_usage(directory).free / 2**30
    text = f"{free:.1f} GiB free below {directory}"
    if free >= DISK_NEEDED_GIB:
        return good("disk", text)
    verdict = Verdict.BAD if free < DISK_LEAST_GIB else Verdict.WARNING
    remedy = f"free some space, e.g. with `podman image prune`; {DISK_NEEDED_GIB:.0f} GiB are needed for a first build"
    return Finding(check="disk", verdict=verdict, text=f"only {text}", remedy=remedy)
