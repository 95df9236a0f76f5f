"""What hub and proxy hold over time: proportional memory and open file descriptors, and whether they go on growing."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hubpod_harness.stack import Stack

PROCESSES: Mapping[str, str] = {"jupyterhub": "[p]ython.*jupyterhub_config", "proxy": "[n]ode.*configurable-http-proxy"}
"""By container, what tells the one process by its arguments; the brackets keep grep from finding itself."""

# In development the hub is a fork of a process that has the same arguments, and another name.
#
# Its start time tells a process that was started again from the one before. Proportional memory (PSS) divides what
# several processes have in common among them.
LOOK = r"""
for process in /proc/[0-9]*; do
  ! grep -qs hubpod-preload $process/comm || continue
  tr '\0' ' ' <$process/cmdline 2>/dev/null | grep -q '{pattern}' || continue
  echo $(cut -d ' ' -f 22 $process/stat) $(awk '/^Pss:/ {{print $2}}' $process/smaps_rollup) $(ls $process/fd | wc -l)
done
"""
HOUR_S = 3600
EVERY_S = 60.0
ENOUGH = 10
MEMORY_LIMIT_MIB_PER_HOUR = 12.0
FILES_LIMIT_PER_HOUR = 20.0
"""Steps of a few MiB or files, as a garbage collector and connections that come and go make them, stay below when the
line is laid through twenty minutes; a leak that matters within a day of such work does not. Each fault that cuts the
way to the hub's API leaves it connections without another end, which Tornado closes after an hour of silence."""


class Verdict(Enum):
    """Whether a process grows."""

    FLAT = "flat"
    GROWS = "GROWS"
    UNKNOWN = "too short to tell"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process at one moment.

    Attributes:
        at_s: Seconds since the soak's beginning.
        process: Its container's name.
        born: What only this process has, and no later one in its place.
        memory_mib: Its proportional memory.
        files: Its open file descriptors.
    """

    at_s: float
    process: str
    born: str
    memory_mib: float
    files: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How one process grew.

    Attributes:
        first: Its first sample.
        last: Its last one.
        count: How many there are of it.
        memory: Slope of its memory over the second half of its time, in MiB an hour.
        files: Slope of its open files over that time, in files an hour.
        verdict: What both slopes say against the limits.
    """

    first: Sample
    last: Sample
    count: int
    memory: float
    files: float
    verdict: Verdict

    def __str__(self) -> str:
        minutes = (self.last.at_s - self.first.at_s) / 60
        return (
            f"{self.first.process:10} {self.verdict.value}: {self.count} samples in {minutes:.1f} min of one process; "
            f"PSS {self.first.memory_mib:.1f} to {self.last.memory_mib:.1f} MiB, at last {self.memory:+.1f} an hour "
            f"(limit {MEMORY_LIMIT_MIB_PER_HOUR:g}); files {self.first.files} to {self.last.files}, "
            f"at last {self.files:+.1f} an hour (limit {FILES_LIMIT_PER_HOUR:g})"
        )


def read_sample(answer: str, at_s: float, process: str) -> Sample | None:
    """Read what was seen; None when the process does not run."""
    if len(fields := answer.split()) < 3:
        return None
    return Sample(at_s=at_s, process=process, born=fields[0], memory_mib=int(fields[1]) / 1024, files=int(fields[2]))


def sample(stack: Stack, at_s: float) -> list[Sample]:
    """Look at a stack's hub and proxy."""
    looks = {
        name: stack.execute(name, ("sh", "-c", LOOK.format(pattern=pattern))).stdout
        for name, pattern in PROCESSES.items()
    }
    seen = (read_sample(answer, at_s, name) for name, answer in looks.items())
    return [each for each in seen if each]


def table(samples: Sequence[Sample]) -> str:
    """The samples as CSV, a line for each moment."""
    names = [f"{name} {figure}" for name in PROCESSES for figure in ("PSS MiB", "files")]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["seconds", *names], restval="", lineterminator="\n")
    writer.writeheader()
    rows: dict[float, dict[str, object]] = {}
    for each in samples:
        row = rows.setdefault(each.at_s, {"seconds": round(each.at_s)})
        row |= {f"{each.process} PSS MiB": f"{each.memory_mib:.1f}", f"{each.process} files": each.files}
    writer.writerows(rows.values())
    return text.getvalue()


def longest(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those of the process that was seen most often: one that was started again begins anew."""
    births = [each.born for each in samples]
    most = max(births, key=births.count, default="")
    return [each for each in samples if each.born == most]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much the second grows with one of the first, by least squares; 0 where that cannot be told."""
    if not points:
        return 0.0
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """How each process grew, that is the one in its place that was seen most often."""
    each = (longest([one for one in samples if one.process == name]) for name in PROCESSES)
    return [_growth(series) for series in each if series]


def _growth(series: Sequence[Sample]) -> Growth:
    """The first half is for caches to fill; what grows in the second one goes on growing."""
    middle = (series[0].at_s + series[-1].at_s) / 2
    late = [each for each in series if each.at_s >= middle]
    memory = slope([(each.at_s, each.memory_mib) for each in late]) * HOUR_S
    files = slope([(each.at_s, each.files) for each in late]) * HOUR_S
    flat = memory <= MEMORY_LIMIT_MIB_PER_HOUR and files <= FILES_LIMIT_PER_HOUR
    verdict = (Verdict.FLAT if flat else Verdict.GROWS) if len(late) >= ENOUGH else Verdict.UNKNOWN
    return Growth(first=series[0], last=series[-1], count=len(series), memory=memory, files=files, verdict=verdict)
