"""Doing something at a rate that does not wait for the answers, and how long each took."""

import http.client
import math
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

from hubpod.client import HubTimeoutError
from hubpod.client.deadline import Deadline
from hubpod.errors import HubpodError

REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Paced:
    """What came of it.

    Attributes:
        took_s: Seconds for each, from the moment at which it was due: one that had to wait for its turn took longer.
        outcomes: How many came to what.
        rate: How many came to an end in a second.
    """

    took_s: Sequence[float]
    outcomes: Counter[object] = field(default_factory=Counter)
    rate: float = 0.0


def at_rate(rate: float, lasting_s: float, act: Callable[[], object], *, workers: int) -> Paced:
    """Do something so many times a second for so long, in so many threads at most."""
    begun, numbers, total = time.monotonic(), count(), int(rate * lasting_s)
    took: list[float] = []
    outcomes: Counter[object] = Counter()

    def work() -> None:
        while (number := next(numbers)) < total:
            due = begun + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            outcome = act()
            took.append(time.monotonic() - due)
            outcomes[outcome] += 1

    _in_threads(work, workers)
    return Paced(took_s=took, outcomes=outcomes, rate=len(took) / (time.monotonic() - begun))


def as_fast_as_it_goes(lasting_s: float, act: Callable[[], object], *, workers: int) -> Paced:
    """Do something again and again for so long, in so many threads."""
    begun = time.monotonic()
    took: list[float] = []
    outcomes: Counter[object] = Counter()

    def work() -> None:
        while (start := time.monotonic()) < begun + lasting_s:
            outcomes[act()] += 1
            took.append(time.monotonic() - start)

    _in_threads(work, workers)
    return Paced(took_s=took, outcomes=outcomes, rate=len(took) / (time.monotonic() - begun))


def _in_threads(work: Callable[[], None], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed (nearest rank); not a number when there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def median(values: Sequence[float]) -> float:
    """The middle one; not a number when there are none."""
    return statistics.median(values) if values else math.nan


def looked(look: Callable[[], int], *, enough: int | None = None, within_s: float, again_s: float = 1.0) -> float:
    """What the last look has seen: the first that sees enough, or any when that is None, or the one when time is over.

    Whoever does not answer, as Slurm after many stops at once, is asked again. Where the last look had no answer
    either, it is not a number: that is unknown, and no reason to lose what else was measured.
    """
    deadline = Deadline(within_s, "an answer")
    while True:
        seen = _answer(look)
        if seen == enough or (enough is None and not math.isnan(seen)):
            return seen
        try:
            deadline.pause(again_s)
        except HubTimeoutError:
            return seen


def _answer(look: Callable[[], int]) -> float:
    try:
        return look()
    except HubpodError:
        return math.nan


class Connections:
    """One connection to a server for each thread, kept open from request to request.

    Args:
        url: The server's address, http only.
    """

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc
        self._own = threading.local()

    def get(self, path: str, headers: Mapping[str, str]) -> int | str:
        """The status of an answer, read to its end; the kind of error when there is none."""
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection(self._place, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._own.connection = None
            return type(error).__name__
        return response.status
