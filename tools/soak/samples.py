"""Memory and open files of hub and proxy over time, and a verdict on whether they grow."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from hubpod_harness.stack import Stack

PROCESSES: Mapping[str, str] = {"jupyterhub": "[p]ython.*jupyterhub_config", "proxy": "[n]ode.*configurable-http-proxy"}
"""Pattern of the arguments of one process per container. The brackets keep grep from matching itself."""

# In development the hub is a fork of a process with the same arguments and another name. The start time distinguishes a
# restarted process from its predecessor. The proportional set size (PSS) divides shared memory among its processes.
SCRIPT = r"""
for process in /proc/[0-9]*; do
  ! grep -qs hubpod-preload $process/comm || continue
  tr '\0' ' ' <$process/cmdline 2>/dev/null | grep -q '{pattern}' || continue
  echo $(cut -d ' ' -f 22 $process/stat) $(awk '/^Pss:/ {{print $2}}' $process/smaps_rollup) $(ls $process/fd | wc -l)
done
"""
HOUR_S = 3600
INTERVAL_S = 60.0
MIN_SAMPLES = 10
MEMORY_LIMIT_MIB_PER_HOUR = 12.0
FILES_LIMIT_PER_HOUR = 20.0
"""Over twenty minutes, steps of a few MiB or files, from garbage collection or connections, stay below the limits. A
leak that matters within a day exceeds them. Each fault that cuts the route to the hub API leaves half-open connections,
which Tornado closes after an hour of silence."""


class Verdict(Enum):
    """Whether a process grows."""

    FLAT = "flat"
    GROWS = "GROWS"
    UNKNOWN = "too few samples"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process at one moment.

    Attributes:
        at_s: Seconds since the start of the soak.
        process: Name of the process's container.
        started: Start time of the process, an opaque text that identifies it.
        memory_mib: Proportional set size.
        files: Number of open file descriptors.
    """

    at_s: float
    process: str
    started: str
    memory_mib: float
    files: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The growth of one process.

    Attributes:
        first: Its first sample.
        last: Its last sample.
        count: Number of its samples.
        memory: Slope of the memory over the second half, in MiB per hour.
        files: Slope of the open files over the second half, per hour.
        verdict: The slopes compared to the limits.
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
            f"{self.first.process:10} {self.verdict.value}: {self.count} samples of one process in {minutes:.1f} min; "
            f"PSS {self.first.memory_mib:.1f} to {self.last.memory_mib:.1f} MiB, {self.memory:+.1f} per hour at the end"
            f" (limit {MEMORY_LIMIT_MIB_PER_HOUR:g}); files {self.first.files} to {self.last.files}, "
            f"{self.files:+.1f} per hour at the end (limit {FILES_LIMIT_PER_HOUR:g})"
        )


def parse_sample(output: str, at_s: float, process: str) -> Sample | None:
    """Parse the output of the script, or return None if the process is not running."""
    if len(fields := output.split()) < 3:
        return None
    memory_mib = int(fields[1]) / 1024
    return Sample(at_s=at_s, process=process, started=fields[0], memory_mib=memory_mib, files=int(fields[2]))


def take_samples(stack: Stack, at_s: float) -> list[Sample]:
    """Sample the hub and the proxy of a stack."""
    outputs = {
        name: stack.execute(name, ("sh", "-c", SCRIPT.format(pattern=pattern))).stdout
        for name, pattern in PROCESSES.items()
    }
    samples = (parse_sample(output, at_s, name) for name, output in outputs.items())
    return [each for each in samples if each]


def to_csv(samples: Sequence[Sample]) -> str:
    """Format samples as CSV, one line per moment."""
    names = [f"{name} {column}" for name in PROCESSES for column in ("PSS MiB", "files")]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["seconds", *names], restval="", lineterminator="\n")
    writer.writeheader()
    rows: dict[float, dict[str, object]] = {}
    for each in samples:
        row = rows.setdefault(each.at_s, {"seconds": round(each.at_s)})
        row |= {f"{each.process} PSS MiB": f"{each.memory_mib:.1f}", f"{each.process} files": each.files}
    writer.writerows(rows.values())
    return text.getvalue()


def most_sampled(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Select the samples of the longest-sampled process: a restart resets the metrics."""
    starts = [each.started for each in samples]
    most = max(starts, key=starts.count, default="")
    return [each for each in samples if each.started == most]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope of (x, y) points, or 0 if it is undefined."""
    try:
        return statistics.linear_regression(*zip(*points, strict=True)).slope
    except (statistics.StatisticsError, TypeError):  # fewer than two points, one x, or no points at all
        return 0.0


def measure_growth(samples: Sequence[Sample]) -> list[Growth]:
    """Return the growth of the hub and of the proxy, each of the process with the most samples."""
    series = (most_sampled([one for one in samples if one.process == name]) for name in PROCESSES)
    return [_measure_growth(each) for each in series if each]


def _measure_growth(series: Sequence[Sample]) -> Growth:
    """Measure the second half alone: caches fill in the first."""
    middle = (series[0].at_s + series[-1].at_s) / 2
    late = [each for each in series if each.at_s >= middle]
    memory = slope([(each.at_s, each.memory_mib) for each in late]) * HOUR_S
    files = slope([(each.at_s, each.files) for each in late]) * HOUR_S
    flat = memory <= MEMORY_LIMIT_MIB_PER_HOUR and files <= FILES_LIMIT_PER_HOUR
    verdict = (Verdict.FLAT if flat else Verdict.GROWS) if len(late) >= MIN_SAMPLES else Verdict.UNKNOWN
    return Growth(first=series[0], last=series[-1], count=len(series), memory=memory, files=files, verdict=verdict)
