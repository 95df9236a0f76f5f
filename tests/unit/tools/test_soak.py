"""The soak without a stack: its plan, its samples, and the verdict on growth."""

import itertools
import math
from collections import Counter

import pytest

from soak.faults import FAULTS
from soak.plan import Verb, generate_rounds
from soak.samples import Sample, Verdict, measure_growth, most_sampled, parse_sample, slope, to_csv

USERS, PROJECTS = 4, 2


def first_rounds(seed: int, count: int) -> list[object]:
    """Return the first rounds of a seed."""
    return list(itertools.islice(generate_rounds(seed, tuple(FAULTS), USERS, PROJECTS), count))


def sample(
    at_s: float, started: str = "1", memory_mib: float = 100.0, files: int = 20, process: str = "jupyterhub"
) -> Sample:
    """Return a sample of a process."""
    return Sample(at_s=at_s, process=process, started=started, memory_mib=memory_mib, files=files)


def test_equal_seeds_give_equal_rounds() -> None:
    """A violation can be reproduced by its seed."""
    assert first_rounds(7, 50) == first_rounds(7, 50)
    assert first_rounds(7, 50) != first_rounds(8, 50)


def test_every_fault_comes_before_any_comes_twice() -> None:
    """A long enough run includes every fault."""
    plan = itertools.islice(generate_rounds(7, tuple(FAULTS), USERS, PROJECTS), 2 * len(FAULTS))

    assert set(Counter(each.fault for each in plan).values()) == {2}


def test_each_user_has_one_action_per_round() -> None:
    """Every verb and every project occurs."""
    plan = list(itertools.islice(generate_rounds(7, tuple(FAULTS), USERS, PROJECTS), 50))

    assert all([action.user for action in each.actions] == list(range(USERS)) for each in plan)
    assert {action.verb for each in plan for action in each.actions} == set(Verb)
    assert {action.project for each in plan for action in each.actions} == set(range(PROJECTS))


def test_the_output_of_the_script_becomes_a_sample() -> None:
    """Memory is converted from KiB to MiB. A process that is not running gives no sample."""
    assert parse_sample("4711 204800 37\n", 5, "proxy") == sample(5, "4711", 200, 37, "proxy")
    assert parse_sample("", 5, "proxy") is None


def test_growth_is_measured_for_one_process() -> None:
    """After restarts the process with the most samples counts."""
    samples = [sample(0, "a"), sample(1, "b"), sample(2, "b"), sample(3, "c")]

    assert [each.at_s for each in most_sampled(samples)] == [1, 2]


@pytest.mark.parametrize(
    ("points", "expected"),
    [([], 0), ([(1, 5)], 0), ([(0, 1), (1, 3), (2, 5)], 2), ([(0, 5), (1, 5)], 0), ([(1, 1), (1, 9)], 0)],
)
def test_the_slope_is_by_least_squares(points: list[tuple[float, float]], expected: float) -> None:
    """An undefined slope is 0."""
    assert math.isclose(slope(points), expected)


def series(memory: float, files: int, minutes: int = 45, filling: float = 0.0) -> list[Sample]:
    """Return samples with this growth per minute, and with more memory growth in the first half."""
    half = minutes // 2
    return [
        sample(60 * minute, memory_mib=100 + memory * minute + filling * min(minute, half), files=20 + files * minute)
        for minute in range(minutes + 1)
    ]


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        (series(0, 0), Verdict.FLAT),
        (series(0, 0, filling=2), Verdict.FLAT),
        (series(0.1, 0), Verdict.FLAT),
        (series(-1, 0), Verdict.FLAT),
        (series(0.3, 0), Verdict.GROWS),
        (series(0, 1), Verdict.GROWS),
        (series(1, 1, minutes=10), Verdict.UNKNOWN),
    ],
)
def test_the_verdict_depends_on_the_second_half(samples: list[Sample], verdict: Verdict) -> None:
    """Only growth in the second half above the limit is a leak.

    A short run has no verdict.
    """
    assert [each.verdict for each in measure_growth(samples)] == [verdict]


def test_growth_is_reported_per_process() -> None:
    """The report contains sample counts, memory, files and slopes per hour."""
    report = "\n".join(map(str, measure_growth([*series(1, 1), sample(0, process="proxy")])))

    assert "jupyterhub GROWS: 46 samples of one process in 45.0 min" in report
    assert "PSS 100.0 to 145.0 MiB, +60.0 per hour at the end (limit 12); files 20 to 65, +60.0 per hour" in report
    assert "proxy      too few samples: 1 samples" in report
    assert measure_growth([]) == []


def test_the_csv_has_a_line_for_each_moment() -> None:
    """Hub and proxy share a line. Missing samples are empty."""
    samples = [sample(61.2, files=21), sample(61.2, memory_mib=50, process="proxy"), sample(122, process="proxy")]

    assert to_csv(samples) == (
        "seconds,jupyterhub PSS MiB,jupyterhub files,proxy PSS MiB,proxy files\n61,100.0,21,50.0,20\n122,,,100.0,20\n"
    )
