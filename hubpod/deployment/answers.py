"""The answers about what a spawn needs, from the checks of the containers and of this machine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from hubpod.components.needs import Need, needs_of
from hubpod.environments import Environment
from hubpod.system.polling import CheckResult


class NeedState(Enum):
    """Whether a need is met."""

    READY = "ready"
    NOT_READY = "not ready"
    UNCHECKED = "not checked"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer about one need.

    Attributes:
        need: The need.
        state: Whether it is met.
        text: What is wrong, or why it was not checked; empty if the need is met.
    """

    need: Need
    state: NeedState
    text: str = ""

    @property
    def sentence(self) -> str:
        """The need, its state and the reason in one line."""
        return f"{self.need.title}: {self.state.value}{f', {self.text}' if self.text else ''}"

    def as_dict(self) -> dict[str, str]:
        """Return the value that `status --json` prints."""
        return {"need": self.need.name, "title": self.need.title, "state": self.state.value, "text": self.text}


def read_answers(environment: Environment, lines: Iterable[str], missing: str) -> tuple[Answer, ...]:
    """Read the lines of JSON that `hubpod-ready` prints in the hub's container.

    Args:
        environment: The environment, each of whose needs gets an answer.
        lines: The lines; other ones are skipped.
        missing: Why a need without an answer was not checked.
    """
    found = {row["need"]: row for row in map(_parse, lines) if row}
    return tuple(_read(need, found.get(need.name), missing) for need in needs_of(environment))


def _parse(line: str) -> Mapping[str, str]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) and {"need", "state", "text"} <= row.keys() else {}


def _read(need: Need, row: Mapping[str, str] | None, missing: str) -> Answer:
    if not row or row["state"] not in {state.value for state in NeedState}:
        return Answer(need=need, state=NeedState.UNCHECKED, text=missing)
    return Answer(need=need, state=NeedState(row["state"]), text=row["text"])


def with_ingress(answers: Sequence[Answer], ingress: CheckResult | None) -> tuple[Answer, ...]:
    """Replace the answer about the ingress by the result of a check from outside the pod."""
    if ingress is None:
        return tuple(answers)
    state = NeedState.READY if ingress.ready else NeedState.NOT_READY
    return tuple(
        replace(each, state=state, text=ingress.reason) if each.need.name == "ingress" else each for each in answers
    )


def describe_missing(lines: Iterable[str]) -> str:
    """Return the reasons of the needs that are not met, as one text, from the lines of `hubpod-ready`."""
    return "; ".join(row["text"] for row in map(_parse, lines) if row and row["state"] == NeedState.NOT_READY.value)


def describe_met(answers: Iterable[Answer]) -> str:
    """List the needs that are met by their short names."""
    return ", ".join(each.need.name for each in answers if each.state is NeedState.READY)


def find_unchecked(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return the answers about needs that could not be checked."""
    return tuple(each for each in answers if each.state is NeedState.UNCHECKED)
