"""The progress events of one spawn, for all its readers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

Event = dict[str, Any]


class ProgressEvents:
    """The events of one spawn in the order in which they happened.

    A reader gets all of them, however late it starts.
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether there is an event."""
        return bool(self._events)

    def add(self, event: Event) -> None:
        """Add an event, unless it equals the last one or the events have ended."""
        if not self._ended and (not self._events or event != self._events[-1]):
            self._events.append(event)
            self._wake_readers()

    def end(self) -> None:
        """Let readers return after the last event, and drop later ones."""
        self._ended = True
        self._wake_readers()

    def _wake_readers(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield past events, then new ones until the end."""
        count = 0
        while True:
            changed = self._changed
            while count < len(self._events):
                count += 1
                yield dict(self._events[count - 1])
            if self._ended:
                return
            if changed is self._changed:
                await changed.wait()
