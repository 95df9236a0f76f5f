"""How much the hub has grown: resident memory and open file descriptors, and their slope over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.stack import Stack

# The hub among the container's processes; its start time tells one that was restarted from the one before.
LOOK = r"""
for process in /proc/[0-9]*; do
  tr '\0' ' ' <$process/cmdline 2>/dev/null | grep -q '[p]ython.*jupyterhub_config' || continue
  echo $(cut -d ' ' -f 22 $process/stat) $(awk '/^VmRSS/ {print $2}' $process/status) $(ls $process/fd | wc -l)
done
"""
HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The hub at one moment.

    Attributes:
        at_s: Seconds since the soak's beginning.
        born: What only this process has, and no other one of the hub.
        memory_mib: Its resident memory.
        files: Its open file descriptors.
    """

    at_s: float
    born: str
    memory_mib: float
    files: int


def read_sample(answer: str, at_s: float) -> Sample | None:
    """Read what was seen; None when the hub does not run."""
    if len(fields := answer.split()) < 3:
        return None
    return Sample(at_s=at_s, born=fields[0], memory_mib=int(fields[1]) / 1024, files=int(fields[2]))


def sample(stack: Stack, at_s: float) -> Sample | None:
    """Look at a stack's hub."""
    return read_sample(stack.execute("jupyterhub", ("sh", "-c", LOOK)).stdout, at_s)


def longest(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those of the process that was seen most often: a hub that was restarted begins anew."""
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


def growth(samples: Sequence[Sample]) -> str:
    """First, last and slope of both figures, for a person."""
    series = longest(samples)
    if not series:
        return "the hub was never seen"
    minutes = (series[-1].at_s - series[0].at_s) / 60
    memory = slope([(each.at_s, each.memory_mib) for each in series]) * HOUR_S
    files = slope([(each.at_s, each.files) for each in series]) * HOUR_S
    rows = (
        ("resident memory, MiB", series[0].memory_mib, series[-1].memory_mib, memory),
        ("open files", series[0].files, series[-1].files, files),
    )
    lines = [f"{name:20} first {first:8.1f}, last {last:8.1f}, an hour {by:+8.1f}" for name, first, last, by in rows]
    return "\n".join((f"one process of the hub for {minutes:.1f} min, {len(series)} samples", *lines))
