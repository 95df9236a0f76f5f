"""Deadlines for waits."""

import time

from hubpod.client.errors import HubTimeoutError


class Deadline:
    """The end of a wait.

    Args:
        seconds: Seconds to wait from now.
        what: The expected event, as the subject of a sentence: "the start of the server of alice".
    """

    def __init__(self, seconds: float, what: str) -> None:
        self.seconds = seconds
        self.what = what
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            HubTimeoutError: The deadline has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.timeout_error()
        return left

    def timeout_error(self) -> HubTimeoutError:
        """Return the error that reports the passed deadline."""
        return HubTimeoutError(f"{self.what} did not happen within {self.seconds:g} s")

    def pause(self, seconds: float) -> None:
        """Sleep between two checks, but not past the deadline."""
        time.sleep(min(seconds, self.remaining()))
