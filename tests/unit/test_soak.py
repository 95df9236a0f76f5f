"""The soak's plan and figures, as far as they come without a stack."""

import itertools
import math
from collections import Counter

import pytest
from soak.faults import FAULTS
from soak.plan import Verb, rounds
from soak.samples import Sample, growth, longest, read_sample, slope

PEOPLE, PROJECTS = 4, 2


def first(seed: int, count: int) -> list[object]:
    """The first rounds of a seed."""
    return list(itertools.islice(rounds(seed, tuple(FAULTS), PEOPLE, PROJECTS), count))


def sample(at_s: float, born: str = "1", memory_mib: float = 100.0, files: int = 20) -> Sample:
    """The hub at a moment."""
    return Sample(at_s=at_s, born=born, memory_mib=memory_mib, files=files)


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


def test_what_was_seen_of_the_hub_is_read() -> None:
    """Birth, kilobytes and files become a sample; a hub that does not run gives none."""
    assert read_sample("4711 204800 37\n", 5) == Sample(at_s=5, born="4711", memory_mib=200, files=37)
    assert read_sample("", 5) is None


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


def test_growth_is_told_with_first_last_and_slope() -> None:
    """What grows by a MiB and a file a minute grows by sixty an hour."""
    told = growth([sample(60 * minute, memory_mib=100 + minute, files=20 + minute) for minute in range(4)])

    assert "3.0 min, 4 samples" in told
    assert "first    100.0, last    103.0, an hour    +60.0" in told
    assert "first     20.0, last     23.0, an hour    +60.0" in told
    assert growth([]) == "the hub was never seen"
