"""The progress events of one spawn."""

import asyncio

import pytest

from bricsauthenticator.progress_events import Event, ProgressEvents

QUEUED: Event = {"message": "The job is queued"}
STARTING: Event = {"message": "The job is starting"}


@pytest.mark.asyncio
async def test_repeated_events_are_dropped() -> None:
    """Equal successive events are one, and each reader gets all events, however late it starts."""
    events = ProgressEvents()
    early = asyncio.create_task(read(events))
    for event in (QUEUED, QUEUED, STARTING, STARTING, QUEUED):
        await asyncio.sleep(0)
        events.add(event)
    events.end()
    events.add(STARTING)

    assert await early == await read(events) == [QUEUED, STARTING, QUEUED]


async def read(events: ProgressEvents) -> list[Event]:
    """Return all events up to the end."""
    return [event async for event in events]
