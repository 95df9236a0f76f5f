"""When the issuer last confirmed each person's projects, by a token of theirs that was good."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Confirmations:
    """The moments of the last good tokens, by the person's name.

    They are kept in memory, because auth_state is for the site's spawner and holds projects alone. Projects that the
    hub finds in its database when it starts count as confirmed at that moment.

    Attributes:
        clock: Seconds that only grow.
    """

    clock: Callable[[], float] = time.monotonic
    _moments: dict[str, float] = field(default_factory=dict)
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()

    def note(self, user: str) -> None:
        """Note that a token has just confirmed this person's projects."""
        self._moments[user] = self.clock()

    def age_s(self, user: str) -> float:
        """Return how many seconds ago this person's projects were confirmed."""
        return self.clock() - self._moments.get(user, self._begun)
