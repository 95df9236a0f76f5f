"""The slow queries of an `up` that changes nothing, started while the changes are planned."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hubpod.components.assembly import components, entrance, podman_name
from hubpod.components.component import Client
from hubpod.context import Context
from hubpod.deployment.container_checks import Check, check_container
from hubpod.images.base import base_references
from hubpod.podman.cli import Podman
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.system.background import start

FRESH_S = 2.0
"""Seconds for which an answer is used. Later, a container may have ended or an image may have been removed."""


@dataclass(frozen=True, kw_only=True)
class Prefetch:
    """Answers that are under way.

    Attributes:
        podman: Answers whatever was not prefetched.
        references: The images whose ids were queried.
        images: Waits for the ids of the existing images among them, by reference.
        checks: Waits for the answer of a running container's readiness command, by podman's name of the container.
        started: Start of the queries, in seconds of the monotonic clock.
    """

    podman: Podman
    references: frozenset[str]
    images: Callable[[], Mapping[str, str]]
    checks: Mapping[str, Check]
    started: float

    @property
    def is_fresh(self) -> bool:
        """Whether the answers still count."""
        return time.monotonic() - self.started < FRESH_S

    @property
    def fresh_checks(self) -> Mapping[str, Check]:
        """The readiness checks, as long as they count."""
        return self.checks if self.is_fresh else {}

    def image_ids(self, references: Sequence[str]) -> dict[str, str]:
        """Return the ids of those images that exist, by reference.

        podman is queried if the references were not prefetched.
        """
        known = self.references if self.is_fresh else frozenset()
        fetched = self.images() if known.intersection(references) else {}
        missing = [each for each in references if each not in known]
        queried = self.podman.image_ids(missing) if missing else {}
        found = {**fetched, **queried}
        return {each: found[each] for each in references if each in found}


def start_prefetch(context: Context, request: UpRequest, found: Snapshot) -> Prefetch:
    """Query for the ids of the images in use, and for the readiness of each container that runs."""
    podman = context.podman
    page = entrance(request.instance.environment, Client.BROWSER).component
    images = [
        *base_references(context.workspace.project, request.base),
        *{each.image for each in found.running.values()},
    ]
    commands = {
        podman_name(request.instance, component.name): component.ready
        for component in components(request.instance.environment)
        if component.ready and component != page
    }
    return Prefetch(
        podman=podman,
        references=frozenset(images),
        images=start(partial(podman.image_ids, images)),
        checks={
            container: start(partial(check_container, podman, container, argv))
            for container, argv in commands.items()
            if container in found.running
        },
        started=time.monotonic(),
    )
