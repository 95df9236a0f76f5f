"""What happened to one spawn so far, for everybody who watches it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

Event = dict[str, Any]


class Story:
    """Events in the order in which they happened; whoever reads it, whenever they come, sees all of them."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether anything happened yet."""
        return bool(self._events)

    def add(self, event: Event) -> None:
        """Tell an event, unless it says the same as the last one or the story has ended."""
        if not self._ended and (not self._events or event != self._events[-1]):
            self._events.append(event)
            self._wake()

    def end(self) -> None:
        """Say that nothing more will happen."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield all events, waiting for those to come, until the end."""
        told = 0
        while True:
            changed = self._changed
            while told < len(self._events):
                told += 1
                yield dict(self._events[told - 1])
            if self._ended:
                return
            if changed is self._changed:
                await changed.wait()
