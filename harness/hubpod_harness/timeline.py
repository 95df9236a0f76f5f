"""How each spawn went: the progress events of its server, as values, as lines and as a drawing. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, Protocol

from hubpod.client import ProgressEvent, Server
from hubpod.probe.timeline import Span, draw_timeline


class SessionLike(Protocol):
    """A person who has logged in."""

    @property
    def user(self) -> str:
        """The person's name."""

    @property
    def servers(self) -> Mapping[str, Server]:
        """Their servers, by name."""


def spawns_of(sessions: Iterable[SessionLike]) -> Iterator[dict[str, Any]]:
    """What became known of each server since its first progress event, times in seconds after that."""
    for session in sessions:
        for name, server in session.servers.items():
            events = tuple(server.events)
            told = [{**asdict(event), "at": round(event.at - events[0].at, 3)} for event in events]
            yield {"user": session.user, "server": name, "outcome": _outcome(events), "events": told}


def _outcome(events: Sequence[ProgressEvent]) -> str:
    if not events:
        return "no progress was seen"
    last = events[-1]
    how = "ready" if last.ready else "failed" if last.failed else "never ready"
    return f"{how} after {last.at - events[0].at:.1f} s, {last.message or 'without a word'}"


def lines_of(spawn: Mapping[str, Any]) -> Iterator[str]:
    """A spawn for a person to read: its outcome, and a line for each event."""
    yield f"{spawn['user']}/{spawn['server']}: {spawn['outcome']}"
    for event in spawn["events"]:
        job = event["slurm"] or {}
        state = " ".join(filter(None, (job.get("job_id"), job.get("state"), job.get("reason"), job.get("node"))))
        yield f"  {event['at']:+8.2f} s {event['progress']:3d} %  {state or '-':24} {event['message']}"


def drawing_of(spawns: Sequence[Mapping[str, Any]]) -> str:
    """All spawns as SVG, one bar for what each event told, until the next one."""
    spans = [span for spawn in spawns for span in _spans(f"{spawn['user']}/{spawn['server']}", spawn["events"])]
    return draw_timeline("How each spawn went", "from the first progress event of each server to its last one", spans)


def _spans(server: str, events: Sequence[Mapping[str, Any]]) -> Iterator[Span]:
    for event, after in pairwise(events):
        yield Span(name=event["message"], who=server, start_s=event["at"], end_s=after["at"])
