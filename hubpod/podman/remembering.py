"""A podman that is asked the same question once: for looking, before anything is done."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread

from hubpod.errors import HubpodError
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError, Result

REMEMBERED_S = 2.0
"""Seconds after which it is asked again: a container may end, and others may work beside hubpod."""


@dataclass(frozen=True, kw_only=True)
class RememberingPodman(Podman):
    """As long as nobody else works on an instance and nothing is done to it, podman's answers about it stay the same.

    Each of them takes a tenth of a second, and planning asks for the same lists from several places. Only for what
    changes nothing: what is done is done with a podman without a memory, which looks again.
    """

    _answers: dict[tuple[str, ...], tuple[float, Future[Result]]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _ids: dict[str, tuple[float, str | None]] = field(default_factory=dict, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)
    _images: Lock = field(default_factory=Lock, repr=False, compare=False)

    def ask_ahead(self, *questions: Callable[[], object]) -> None:
        """Begin to ask, side by side and without waiting, what will be asked soon; whoever does so gets that answer."""
        for question in questions:
            Thread(target=_told_to_nobody, args=(question,), daemon=True).start()

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, timeout_s: float | None = None) -> Result:
        """Run a podman command to its end, or give the answer that it gave a moment ago; failures are not remembered.

        Raises:
            CommandError: It failed, and check is true.
        """
        asked = time.monotonic()
        with self._lock:
            known = self._answers.get(args)
            answer = known[1] if known and asked - known[0] < REMEMBERED_S else Future()
            ours = not known or answer is not known[1]
            if ours:
                self._answers[args] = asked, answer
        if ours:
            self._ask(answer, args, stdin, timeout_s)
        result = answer.result()
        if check and not result.ok:
            raise CommandError(result)
        return result

    def _ask(self, answer: Future[Result], args: tuple[str, ...], stdin: bytes | None, timeout_s: float | None) -> None:
        """Ask podman, for everybody who waits for the answer."""
        failed = True
        try:
            result = super().run(*args, stdin=stdin, check=False, timeout_s=timeout_s)
            answer.set_result(result)
            failed = not result.ok
        except BaseException as error:
            answer.set_exception(error)
            raise
        finally:
            with self._lock:
                if failed and self._answers[args][1] is answer:
                    del self._answers[args]

    def image_ids(self, references: Sequence[str]) -> dict[str, str]:
        """The ids of those images that are there; whether one is there was perhaps asked, with others, a moment ago."""
        with self._images:  # who comes while it is asked waits for that answer
            asked = time.monotonic()
            known = {name for name, (when, _) in self._ids.items() if asked - when < REMEMBERED_S}
            unknown = [each for each in references if each not in known]
            found = super().image_ids(unknown) if unknown else {}
            self._ids.update((each, (asked, found.get(each))) for each in unknown)
            answers = {each: self._ids[each][1] for each in references}
        return {each: image for each, image in answers.items() if image}


def _told_to_nobody(question: Callable[[], object]) -> None:
    """Ask; who needs the answer asks again, and is told what is wrong."""
    with suppress(HubpodError):
        question()


def remembering(podman: Podman) -> RememberingPodman:
    """The same podman, with a memory that begins now."""
    same = {name: getattr(podman, name) for name in podman.__dataclass_fields__}
    return RememberingPodman(**same)
