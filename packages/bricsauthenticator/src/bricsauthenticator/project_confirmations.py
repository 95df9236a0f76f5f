"""The time since a valid token last confirmed each user's projects."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class ProjectConfirmations:
    """The time of each user's last valid token, by user name.

    The times are in memory only, because auth_state is for the site's spawner and has nothing but projects. Projects in
    the database count as confirmed when the hub starts.

    Attributes:
        clock: Returns monotonic time, in seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _times: dict[str, float] = field(default_factory=dict)
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    def confirm(self, user: str) -> None:
        """Record that a token has just confirmed this user's projects."""
        self._times[user] = self.clock()

    def deny(self, user: str) -> None:
        """Record that a token has just denied this user all projects."""
        self._times[user] = -math.inf

    def age_s(self, user: str) -> float:
        """Return the seconds since this user's projects were confirmed."""
        return self.clock() - self._times.get(user, self._start)
