"""What happens in a soak, decided by its seed alone: the same seed gives the same rounds in the same order."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

SHORTEST_S, LONGEST_S = 2.0, 15.0
LATEST_S = 5.0


class Verb(Enum):
    """What a person does."""

    SPAWN = "spawns"
    CANCEL = "spawns and cancels"
    STOP = "stops"
    WORK = "works"


@dataclass(frozen=True, kw_only=True)
class Action:
    """What one person does in a round.

    Attributes:
        person: Which one, from 0 on.
        verb: What.
        project: Which of the person's projects a spawn is for, from 0 on.
        after_s: Seconds after the round's beginning.
        patience_s: Seconds before a cancel.
    """

    person: int
    verb: Verb
    project: int
    after_s: float
    patience_s: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """A fault that comes and goes while people do something.

    Attributes:
        fault: Its name.
        after_s: Seconds after the round's beginning at which it comes.
        hold_s: Seconds that it stays.
        actions: One for each person.
    """

    fault: str
    after_s: float
    hold_s: float
    actions: tuple[Action, ...]


def rounds(seed: int, faults: Sequence[str], people: int, projects: int) -> Iterator[Round]:
    """All rounds of a seed, without end; each fault comes once before any comes twice."""
    chance = random.Random(seed)  # noqa: S311 - moments and choices, no secrets
    while True:
        for fault in chance.sample(faults, len(faults)):
            yield Round(
                fault=fault,
                after_s=_seconds(chance, 0, LATEST_S),
                hold_s=_seconds(chance, SHORTEST_S, LONGEST_S),
                actions=tuple(_action(chance, person, projects) for person in range(people)),
            )


def _action(chance: random.Random, person: int, projects: int) -> Action:
    return Action(
        person=person,
        verb=chance.choice(tuple(Verb)),
        project=chance.randrange(projects),
        after_s=_seconds(chance, 0, LATEST_S),
        patience_s=_seconds(chance, 0, LATEST_S),
    )


def _seconds(chance: random.Random, least: float, most: float) -> float:
    return round(chance.uniform(least, most), 1)
