"""Several questions asked again and again until each is answered with yes: side by side, each at its own pace."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether something is ready; when not, why, in a few words."""

    ready: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something to wait for.

    Attributes:
        what: In words.
        ask: Asks for it once.
        every_s: Seconds between an answer and the next question.
        after: Other conditions; it is not asked for before one of them is true. When empty, it is asked for at once.
    """

    what: str
    ask: Callable[[], Answer]
    every_s: float
    after: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Asking:
    """The conditions that are not true yet, and what was said of them last.

    Attributes:
        missing: Those conditions, by name.
        reasons: Why, by name.
    """

    missing: dict[str, Condition]
    reasons: dict[str, str]
    _pool: ThreadPoolExecutor
    _over: Event = field(default_factory=Event)
    _asked: dict[Future[None], str] = field(default_factory=dict)

    def wait(self, timeout_s: float) -> None:
        """Wait until one more of them is true, for so many seconds at most."""
        for name, condition in self.missing.items():
            may_ask = not condition.after or condition.after - self.missing.keys()
            if may_ask and name not in self._asked.values():
                self._asked[self._pool.submit(self._until_ready, name, condition)] = name
        done, _ = wait(self._asked, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            del self.missing[self._asked.pop(future)]

    def end(self) -> None:
        """Ask nothing more."""
        self._over.set()

    def _until_ready(self, name: str, condition: Condition) -> None:
        while not self._over.is_set():
            answer = condition.ask()
            if answer.ready:
                return
            self.reasons[name] = answer.reason
            self._over.wait(condition.every_s)


@contextmanager
def asking(conditions: Mapping[str, Condition]) -> Iterator[Asking]:
    """Ask for conditions until the block ends."""
    with ThreadPoolExecutor(max_workers=len(conditions)) as pool:
        asked = Asking(missing=dict(conditions), reasons=dict.fromkeys(conditions, "not asked yet"), _pool=pool)
        try:
            yield asked
        finally:
            asked.end()
