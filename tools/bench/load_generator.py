"""Load generators: repeat an action, and record each duration and outcome."""

import http.client
import math
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
class LoadResult:
    """Measurements of a load generator.

    Attributes:
        durations_s: Seconds per action. At a fixed rate they start when the action was due, so that they include the
            wait for a free worker.
        outcomes: Number of actions per outcome.
        rate: Completed actions per second.
    """

    durations_s: Sequence[float]
    outcomes: Counter[object] = field(default_factory=Counter)
    rate: float = 0.0


def run_at_rate(rate: float, duration_s: float, act: Callable[[], object], *, workers: int) -> LoadResult:
    """Start an action `rate` times per second, whether or not earlier ones have completed."""
    start, numbers, total = time.monotonic(), count(), int(rate * duration_s)
    durations: list[float] = []
    outcomes: Counter[object] = Counter()

    def work() -> None:
        while (number := next(numbers)) < total:
            due = start + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            outcome = act()
            durations.append(time.monotonic() - due)
            outcomes[outcome] += 1

    _run_in_threads(work, workers)
    return LoadResult(durations_s=durations, outcomes=outcomes, rate=len(durations) / (time.monotonic() - start))


def run_closed_loop(duration_s: float, act: Callable[[], object], *, workers: int) -> LoadResult:
    """Repeat an action without pause in every worker."""
    start = time.monotonic()
    durations: list[float] = []
    outcomes: Counter[object] = Counter()

    def work() -> None:
        while (begin := time.monotonic()) < start + duration_s:
            outcomes[act()] += 1
            durations.append(time.monotonic() - begin)

    _run_in_threads(work, workers)
    return LoadResult(durations_s=durations, outcomes=outcomes, rate=len(durations) / (time.monotonic() - start))


def _run_in_threads(work: Callable[[], None], workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()


def poll_count(
    query: Callable[[], int], *, wanted: int | None = None, timeout_s: float, interval_s: float = 1.0
) -> float:
    """Poll until the query returns the wanted number, or any number if `wanted` is not set.

    A failing query is repeated: Slurm may not answer right after many stops.

    Returns:
        The last answer before the timeout; NaN if the last query failed, which keeps the other metrics valid.
    """
    deadline = Deadline(timeout_s, "an answer")
    while True:
        number = _query_or_nan(query)
        if number == wanted or (wanted is None and not math.isnan(number)):
            return number
        try:
            deadline.pause(interval_s)
        except HubTimeoutError:
            return number


def _query_or_nan(query: Callable[[], int]) -> float:
    try:
        return query()
    except HubpodError:
        return math.nan


class Connections:
    """Keep-alive HTTP connections to a server, one per thread.

    Args:
        url: Address of the server, http only.
    """

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._local = threading.local()

    def get(self, path: str, headers: Mapping[str, str]) -> int | str:
        """Send a request, and return the status, or the name of the error without a response."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._address, timeout=REQUEST_TIMEOUT_S)
            self._local.connection = connection
        try:
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._local.connection = None
            return type(error).__name__
        return response.status
