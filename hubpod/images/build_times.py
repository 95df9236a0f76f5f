"""Where the time of builds goes: each image's steps, from the lines that ``podman build`` prints as they come."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

STEP = re.compile(r"(?:\[\d+/\d+\] )?STEP \d+/\d+: ")
"""How podman (buildah) begins the line of a step, in a Containerfile with several stages and with one."""

_OPENING = re.compile(r"(\w+)(?: +--\S+)*(?: +set -e;)?(?: +\. /run/hubpod-build/env;)?")
"""What the steps of our Containerfiles begin with, of which only the instruction tells one from another."""

_COMMIT = "COMMIT "
_CACHED = "--> Using cache"


@dataclass(frozen=True, kw_only=True)
class BuildStep:
    """One step of a build.

    Attributes:
        text: The instruction, as podman prints it, without its options.
        took_s: Seconds until the next one, or until the end.
        cached: It was not run, because podman had its result.
    """

    text: str
    took_s: float = 0.0
    cached: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildTime:
    """One image that was built.

    Attributes:
        image: Its name.
        took_s: Seconds for all of it.
        steps: Its steps, in their order; none where podman did not build it, as the base image.
    """

    image: str
    took_s: float
    steps: tuple[BuildStep, ...] = ()

    def slowest(self, count: int) -> tuple[BuildStep, ...]:
        """The slowest steps, the slowest first."""
        return tuple(sorted(self.steps, key=lambda step: -step.took_s)[:count])


class BuildClock:
    """Notes how long each image takes, and each of its steps; several may be built side by side.

    Args:
        now: Seconds of a clock that does not jump.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun: list[float] = []
        self._ended: list[float] = []
        self.images: tuple[BuildTime, ...] = ()

    @property
    def took_s(self) -> float:
        """Seconds from the beginning of the first image to the end of the last one; 0 when none was built."""
        return max(self._ended, default=0.0) - min(self._begun, default=0.0)

    @contextmanager
    def timed(self, image: str) -> Iterator[Callable[[str], None]]:
        """Time one image; what is given takes the lines of its build as they come."""
        begun = self._now()
        self._begun.append(begun)
        lines: list[tuple[float, str]] = []
        yield lambda line: lines.append((self._now(), line))
        ended = self._now()
        self._ended.append(ended)
        self.images += (BuildTime(image=image, took_s=ended - begun, steps=steps_of(lines, ended)),)


def steps_of(lines: Sequence[tuple[float, str]], ended: float) -> tuple[BuildStep, ...]:
    """The steps in a build's lines, each line with the moment at which it came; `ended` is that of the build's end."""
    steps: list[BuildStep] = []
    begun: list[float] = []
    for at, line in lines:
        if STEP.match(line) or line.startswith(_COMMIT):
            steps.append(BuildStep(text=_OPENING.sub(r"\1", STEP.sub("", line), count=1)))
            begun.append(at)
        elif line.startswith(_CACHED) and steps:
            steps[-1] = replace(steps[-1], cached=True)
    ends = (*begun[1:], ended)
    return tuple(replace(step, took_s=end - at) for step, at, end in zip(steps, begun, ends, strict=False))
