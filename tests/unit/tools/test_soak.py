"""The soak's plan and figures, as far as they come without a stack."""

import itertools
import math
from collections import Counter

import pytest

from soak.faults import FAULTS
from soak.plan import Verb, rounds
from soak.samples import Sample, Verdict, growth, longest, read_sample, slope, table

PEOPLE, PROJECTS = 4, 2


def first(seed: int, count: int) -> list[object]:
    """The first rounds of a seed."""
    return list(itertools.islice(rounds(seed, tuple(FAULTS), PEOPLE, PROJECTS), count))


def sample(
    at_s: float, born: str = "1", memory_mib: float = 100.0, files: int = 20, process: str = "jupyterhub"
) -> Sample:
    """A process at a moment."""
    return Sample(at_s=at_s, process=process, born=born, memory_mib=memory_mib, files=files)


def test_a_seed_gives_the_same_rounds_again() -> None:
    """A run that found something can be repeated by its seed, and another seed is another run."""
    assert first(7, 50) == first(7, 50)
    assert first(7, 50) != first(8, 50)


def test_every_fault_comes_before_any_comes_twice() -> None:
    """No fault is left to chance in a run that is long enough."""
    plan = itertools.islice(rounds(7, tuple(FAULTS), PEOPLE, PROJECTS), 2 * len(FAULTS))

    assert set(Counter(each.fault for each in plan).values()) == {2}


def test_everybody_does_something_of_all_there_is() -> None:
    """Each person has one thing to do in each round, and every verb and project comes."""
    plan = list(itertools.islice(rounds(7, tuple(FAULTS), PEOPLE, PROJECTS), 50))

    assert all([action.person for action in each.actions] == list(range(PEOPLE)) for each in plan)
    assert {action.verb for each in plan for action in each.actions} == set(Verb)
    assert {action.project for each in plan for action in each.actions} == set(range(PROJECTS))


def test_what_was_seen_of_a_process_is_read() -> None:
    """Birth, kilobytes and files become a sample; a process that does not run gives none."""
    assert read_sample("4711 204800 37\n", 5, "proxy") == sample(5, "4711", 200, 37, "proxy")
    assert read_sample("", 5, "proxy") is None


def test_a_restarted_hub_begins_anew() -> None:
    """Growth is that of one process: the one that was seen most often."""
    seen = [sample(0, "a"), sample(1, "b"), sample(2, "b"), sample(3, "c")]

    assert [each.at_s for each in longest(seen)] == [1, 2]


@pytest.mark.parametrize(
    ("points", "expected"),
    [([], 0), ([(1, 5)], 0), ([(0, 1), (1, 3), (2, 5)], 2), ([(0, 5), (1, 5)], 0), ([(1, 1), (1, 9)], 0)],
)
def test_the_slope_is_that_of_least_squares(points: list[tuple[float, float]], expected: float) -> None:
    """A line is found where there is one, and none where a slope cannot be told."""
    assert math.isclose(slope(points), expected)


def series(memory: float, files: int, minutes: int = 45, filling: float = 0.0) -> list[Sample]:
    """A process that grows by so much a minute, and by some more in the first half."""
    half = minutes // 2
    return [
        sample(60 * minute, memory_mib=100 + memory * minute + filling * min(minute, half), files=20 + files * minute)
        for minute in range(minutes + 1)
    ]


@pytest.mark.parametrize(
    ("seen", "verdict"),
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
def test_what_grows_in_the_second_half_grows(seen: list[Sample], verdict: Verdict) -> None:
    """Caches that fill at first are no leak; a slope beyond the limit later is one; a short run does not tell."""
    assert [each.verdict for each in growth(seen)] == [verdict]


def test_growth_is_told_of_each_process_with_figures() -> None:
    """What grows by a MiB and a file a minute grows by sixty an hour; hub and proxy are told of by name."""
    told = "\n".join(map(str, growth([*series(1, 1), sample(0, process="proxy")])))

    assert "jupyterhub GROWS: 46 samples in 45.0 min" in told
    assert "PSS 100.0 to 145.0 MiB, at last +60.0 an hour (limit 12); files 20 to 65, at last +60.0" in told
    assert "proxy      too short to tell: 1 samples" in told
    assert growth([]) == []


def test_the_table_has_a_line_for_each_moment() -> None:
    """Hub and proxy stand side by side; what was not seen is empty."""
    seen = [sample(61.2, files=21), sample(61.2, memory_mib=50, process="proxy"), sample(122, process="proxy")]

    assert table(seen) == (
        "seconds,jupyterhub PSS MiB,jupyterhub files,proxy PSS MiB,proxy files\n61,100.0,21,50.0,20\n122,,,100.0,20\n"
    )
