"""Poll several conditions in parallel, each at its own interval, until all hold."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Result of a check.

    Attributes:
        ready: Whether the condition holds.
        reason: Why not, in a few words.
        lines: The output of the check.
    """

    ready: bool
    reason: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition to wait for.

    Attributes:
        description: What is waited for, as a noun phrase for progress and error messages.
        check: Checks the condition once.
        interval_s: Seconds between two checks.
        after: Names of other conditions; the first check waits until one of them holds. Empty: no wait.
    """

    description: str
    check: Callable[[], CheckResult]
    interval_s: float
    after: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Poller:
    """The conditions that do not hold yet, with the result of their latest check.

    Attributes:
        pending: Conditions that do not hold yet, by name.
        results: Result of the latest check, by name.
    """

    pending: dict[str, Condition]
    results: dict[str, CheckResult]
    _pool: ThreadPoolExecutor
    _stopped: Event = field(default_factory=Event)
    _running: dict[Future[None], str] = field(default_factory=dict)

    def wait(self, timeout_s: float) -> None:
        """Wait until another condition holds, or until the timeout."""
        for name, condition in self.pending.items():
            may_start = not condition.after or condition.after - self.pending.keys()
            if may_start and name not in self._running.values():
                self._running[self._pool.submit(self._check_until_ready, name, condition)] = name
        done, _ = wait(self._running, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            del self.pending[self._running.pop(future)]

    def stop(self) -> None:
        """Stop all checks."""
        self._stopped.set()

    def _check_until_ready(self, name: str, condition: Condition) -> None:
        while not self._stopped.is_set():
            result = self.results[name] = condition.check()
            if result.ready:
                return
            self._stopped.wait(condition.interval_s)


@contextmanager
def poll(conditions: Mapping[str, Condition]) -> Iterator[Poller]:
    """Poll conditions until the block ends."""
    with ThreadPoolExecutor(max_workers=len(conditions)) as pool:
        first = CheckResult(ready=False, reason="not checked yet")
        poller = Poller(pending=dict(conditions), results=dict.fromkeys(conditions, first), _pool=pool)
        try:
            yield poller
        finally:
            poller.stop()
