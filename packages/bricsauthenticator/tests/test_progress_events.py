"""What is told of a spawn, and to whom."""

import asyncio

import pytest

from bricsauthenticator.progress_events import Event, ProgressEvents

QUEUED: Event = {"message": "The job is queued"}
STARTING: Event = {"message": "The job is starting"}


@pytest.mark.asyncio
async def test_an_event_is_told_once_until_another_one_comes() -> None:
    """Whoever asks Slurm twice a second tells nobody twice; each reader gets the whole story, whenever they come."""
    events = ProgressEvents()
    early = asyncio.create_task(read(events))
    for event in (QUEUED, QUEUED, STARTING, STARTING, QUEUED):
        await asyncio.sleep(0)
        events.add(event)
    events.end()
    events.add(STARTING)

    assert await early == await read(events) == [QUEUED, STARTING, QUEUED]


async def read(events: ProgressEvents) -> list[Event]:
    """Return the story up to its end."""
    return [event async for event in events]
