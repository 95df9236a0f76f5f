"""Progress events of a starting server."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SlurmState:
    """The state of the Slurm job when the event was sent."""

    job_id: str
    state: str
    reason: str = ""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """One event of the progress bar.

    Attributes:
        progress: Percent, 0 to 100.
        message: The sentence below the bar.
        ready: The server can be opened; this is the last event.
        failed: The server will not start, for the reason in the message; this is the last event.
        slurm: The job of the server; None if the spawner does not send it.
        at: When the event arrived, in seconds of the monotonic clock.
    """

    progress: int
    message: str = ""
    ready: bool = False
    failed: bool = False
    slurm: SlurmState | None = None
    at: float = 0.0


def parse_events(lines: Iterable[bytes]) -> Iterator[Mapping[str, object]]:
    """Yield the JSON objects in the lines of an event stream.

    Comments, keepalives and other data are skipped.
    """
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            try:
                model = json.loads(text)
            except ValueError:
                continue
            if isinstance(model, dict):
                yield model


def progress_event(model: Mapping[str, object], *, clock: Callable[[], float] = time.monotonic) -> ProgressEvent:
    """Return an event's JSON object as a ProgressEvent."""
    progress = model.get("progress")
    return ProgressEvent(
        progress=int(progress) if isinstance(progress, int | float) else 0,
        message=_text(model.get("message")),
        ready=model.get("ready") is True,
        failed=model.get("failed") is True,
        slurm=_slurm_state(model.get("slurm")),
        at=clock(),
    )


def _slurm_state(model: object) -> SlurmState | None:
    if not isinstance(model, dict) or not model.get("job_id"):
        return None
    return SlurmState(**{name: _text(model.get(name)) for name in ("job_id", "state", "reason", "node")})


def _text(value: object) -> str:
    return "" if value is None else str(value)
