"""A podman that is asked the same question once: for looking, before anything is done."""

import time
from dataclasses import dataclass, field

from hubpod.podman import Podman
from hubpod.process import Result

REMEMBERED_S = 2.0
"""Seconds after which it is asked again: a container may end, and others may work beside hubpod."""


@dataclass(frozen=True, kw_only=True)
class RememberingPodman(Podman):
    """As long as nobody else works on an instance and nothing is done to it, podman's answers about it stay the same.

    Each of them takes a tenth of a second, and planning asks for the same lists from several places. Only for what
    changes nothing: what is done is done with a podman without a memory, which looks again.
    """

    _answers: dict[tuple[str, ...], tuple[float, Result]] = field(default_factory=dict, repr=False, compare=False)

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, timeout_s: float | None = None) -> Result:
        """Run a podman command to its end, or give the answer that it gave a moment ago; failures are not remembered.

        Raises:
            CommandError: It failed, and check is true.
        """
        asked = time.monotonic()
        known = self._answers.get(args)
        if known and asked - known[0] < REMEMBERED_S:
            return known[1]
        result = super().run(*args, stdin=stdin, check=check, timeout_s=timeout_s)
        if result.ok:
            self._answers[args] = asked, result
        return result


def remembering(podman: Podman) -> RememberingPodman:
    """The same podman, with a memory that begins now."""
    same = {name: getattr(podman, name) for name in podman.__dataclass_fields__}
    return RememberingPodman(**same)
