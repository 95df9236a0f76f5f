"""Where the time of builds goes."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from hubpod.images.build_times import BuildClock, BuildStep
from tasks import shown

LINES = (
    (0.5, "[1/2] STEP 1/2: FROM base AS os"),
    (1.0, "[1/2] STEP 2/2: RUN --mount=type=cache,target=/x set -e; . /run/hubpod-build/env; apt-get install slurmd"),
    (2.0, "Setting up slurmd ..."),
    (9.0, "--> 0123"),
    (9.5, "[2/2] STEP 1/1: COPY release.lock /opt/"),
    (9.75, "--> Using cache 4567"),
    (10.0, "COMMIT localhost/hubpod/slurm:dev-1"),
)
STEPS = (
    BuildStep(text="FROM base AS os", took_s=0.5),
    BuildStep(text="RUN apt-get install slurmd", took_s=8.5),
    BuildStep(text="COPY release.lock /opt/", took_s=0.5, cached=True),
    BuildStep(text="COMMIT localhost/hubpod/slurm:dev-1", took_s=2.0),
)


def built(*moments: float, lines: tuple[str, ...] = ()) -> BuildClock:
    """A clock that has seen one image built, the moments being those at which it looked."""
    clock = BuildClock(chain(moments, repeat(moments[-1])).__next__)
    with clock.timed("slurm") as note:
        for line in lines:
            note(line)
    return clock


def slurm() -> BuildClock:
    """A clock that has seen the lines above."""
    return built(0.0, *(at for at, _ in LINES), 12.0, lines=tuple(line for _, line in LINES))


def test_a_step_lasts_until_the_next_one() -> None:
    """Each step has its text without what all begin with, its seconds, and whether podman had its result already."""
    (image,) = slurm().images

    assert image.steps == STEPS
    assert (image.image, image.took_s) == ("slurm", 12.0)
    assert [step.took_s for step in image.slowest(2)] == [8.5, 2.0]


def test_an_image_that_podman_did_not_build_has_no_steps() -> None:
    """Lines of another program are no steps; the image has its total all the same."""
    (image,) = built(0.0, 1.0, 3.0, lines=("unpacking",)).images

    assert (image.steps, image.took_s) == ((), 3.0)


def test_images_side_by_side_take_no_longer_than_the_clock_says() -> None:
    """The total counts from the first beginning to the last end, and not the sum."""
    ticks: Iterator[float] = iter((0.0, 1.0, 5.0, 7.0))
    clock = BuildClock(ticks.__next__)

    with clock.timed("one"), clock.timed("other"):
        pass

    assert sorted(image.took_s for image in clock.images) == [4.0, 7.0]
    assert clock.took_s == 7.0


def test_the_table_has_the_slowest_steps_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps, what is left, and the totals, on standard error; what was cached is said."""
    shown.show_build_times(slurm())

    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert lines[1] == ["slurm", "8.5", "RUN", "apt-get", "install", "slurmd"]
    assert [line[1] for line in lines[1:]] == ["8.5", "2.0", "0.5", "0.5", "0.5", "12.0", "12.0"]
    assert [line[2] for line in lines].count("cached") == 1


def test_without_a_build_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody takes an empty table for a quick build."""
    shown.show_build_times(BuildClock())

    assert capsys.readouterr().err == "  no image was built, so there is nothing to time\n"
