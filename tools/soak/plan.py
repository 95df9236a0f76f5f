"""The plan of a soak: rounds of faults and actions, derived from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

MIN_HOLD_S, MAX_HOLD_S = 2.0, 15.0
MAX_DELAY_S = 5.0


class Verb(Enum):
    """Kind of an action."""

    SPAWN = "spawns"
    CANCEL = "spawns and cancels"
    STOP = "stops"
    WORK = "works"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of one user in a round.

    Attributes:
        user: Number of the user, from 0.
        verb: Kind of the action.
        project: Number of the user's project for a spawn, from 0.
        after_s: Delay from the start of the round.
        patience_s: Seconds from a spawn to its cancellation.
    """

    user: int
    verb: Verb
    project: int
    after_s: float
    patience_s: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """One fault, and one action of each user.

    Attributes:
        fault: Name of the fault.
        after_s: Delay of the fault from the start of the round.
        hold_s: Duration of the fault.
        actions: One per user.
    """

    fault: str
    after_s: float
    hold_s: float
    actions: tuple[Action, ...]


def generate_rounds(seed: int, faults: Sequence[str], users: int, projects: int) -> Iterator[Round]:
    """Yield the endless rounds of a seed, with every fault once before any fault twice."""
    generator = random.Random(seed)  # noqa: S311 - no secrets
    while True:
        for fault in generator.sample(faults, len(faults)):
            yield Round(
                fault=fault,
                after_s=_seconds(generator, 0, MAX_DELAY_S),
                hold_s=_seconds(generator, MIN_HOLD_S, MAX_HOLD_S),
                actions=tuple(_generate_action(generator, user, projects) for user in range(users)),
            )


def _generate_action(generator: random.Random, user: int, projects: int) -> Action:
    return Action(
        user=user,
        verb=generator.choice(tuple(Verb)),
        project=generator.randrange(projects),
        after_s=_seconds(generator, 0, MAX_DELAY_S),
        patience_s=_seconds(generator, 0, MAX_DELAY_S),
    )


def _seconds(generator: random.Random, low: float, high: float) -> float:
    return round(generator.uniform(low, high), 1)
