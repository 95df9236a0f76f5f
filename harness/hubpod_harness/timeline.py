"""Timeline of each spawn: its progress events as data, lines and a chart. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, Protocol

from hubpod.client import ProgressEvent, Server
from hubpod.probe.timeline import Span, draw_timeline


class SessionLike(Protocol):
    """A login session."""

    @property
    def user(self) -> str:
        """The user's name."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """The user's servers, by name."""


def spawn_records(sessions: Iterable[SessionLike]) -> Iterator[dict[str, Any]]:
    """Yield the progress events of each server, with times in seconds since its first event."""
    for session in sessions:
        for name, server in session.servers.items():
            events = tuple(server.events)
            records = [{**asdict(event), "at": round(event.at - events[0].at, 3)} for event in events]
            yield {"user": session.user, "server": name, "outcome": _outcome(events), "events": records}


def _outcome(events: Sequence[ProgressEvent]) -> str:
    if not events:
        return "no progress was seen"
    last = events[-1]
    how = "ready" if last.ready else "failed" if last.failed else "never ready"
    return f"{how} after {last.at - events[0].at:.1f} s, {last.message or 'without a word'}"


def format_spawn(spawn: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a spawn: its outcome, then its events."""
    yield f"{spawn['user']}/{spawn['server']}: {spawn['outcome']}"
    for event in spawn["events"]:
        job = event["slurm"] or {}
        state = " ".join(filter(None, (job.get("job_id"), job.get("state"), job.get("reason"), job.get("node"))))
        yield f"  {event['at']:+8.2f} s {event['progress']:3d} %  {state or '-':24} {event['message']}"


def render_chart(spawns: Sequence[Mapping[str, Any]]) -> str:
    """Render all spawns as SVG, with a bar from each event to the next."""
    spans = [span for spawn in spawns for span in _spans(f"{spawn['user']}/{spawn['server']}", spawn["events"])]
    return draw_timeline("How each spawn went", "from the first progress event of each server to its last one", spans)


def _spans(server: str, events: Sequence[Mapping[str, Any]]) -> Iterator[Span]:
    for event, after in pairwise(events):
        yield Span(name=event["message"], who=server, start_s=event["at"], end_s=after["at"])
