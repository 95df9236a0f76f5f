"""Waiting for something, never for ever."""

import time

from hubpod.client.errors import HubTimeoutError


class Deadline:
    """A point in time before which something should happen.

    Args:
        seconds: How long to wait from now on.
        what: What is waited for, as the subject of a sentence: "the server of alice".
    """

    def __init__(self, seconds: float, what: str) -> None:
        self.seconds = seconds
        self.what = what
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds that are left; HubTimeoutError when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> HubTimeoutError:
        """The error that says what was waited for, and how long."""
        return HubTimeoutError(f"{self.what} did not happen within {self.seconds:g} s")

    def pause(self, seconds: float) -> None:
        """Sleep between two looks, but not past the deadline."""
        time.sleep(min(seconds, self.remaining()))
