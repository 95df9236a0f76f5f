"""A podman that is asked the same question once: for the time in which nothing is changed."""

from dataclasses import dataclass, field

from hubpod.podman import Podman
from hubpod.process import Result


@dataclass(frozen=True, kw_only=True)
class RememberingPodman(Podman):
    """As long as nobody else works on an instance and nothing is done to it, podman's answers about it stay the same.

    Each of them takes a tenth of a second, and planning asks for the same lists from several places.
    """

    _answers: dict[tuple[str, ...], Result] = field(default_factory=dict, repr=False, compare=False)

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, timeout_s: float | None = None) -> Result:
        """Run a podman command to its end, or give the answer of last time.

        Raises:
            CommandError: It failed, and check is true.
        """
        if args not in self._answers:
            self._answers[args] = super().run(*args, stdin=stdin, check=check, timeout_s=timeout_s)
        return self._answers[args]


def remembering(podman: Podman) -> RememberingPodman:
    """The same podman, with a memory that begins now."""
    same = {name: getattr(podman, name) for name in podman.__dataclass_fields__}
    return RememberingPodman(**same)
