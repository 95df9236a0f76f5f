"""Fakes of podman and contexts with only the methods that a test needs."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from rich.console import Console

from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.pod import Seed
from hubpod.podman.cli import Podman
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace


def podman_returning(answers: Mapping[str, object]) -> Podman:
    """Return a podman whose methods of these names return these values."""
    return cast("Podman", SimpleNamespace(**{name: lambda *_, a=answer, **__: a for name, answer in answers.items()}))


def context_at(directory: Path, podman: Podman | None = None) -> Context:
    """Return a context whose checkout is a directory, and that prints nothing."""
    return Context(
        workspace=Workspace(project=directory),
        podman=podman or podman_returning({}),
        reporter=ConsoleReporter(console=Console(quiet=True)),
    )


def find_seed(site: Site, part: str) -> Seed:
    """Return the seed of one volume of a site's pod."""
    (found,) = (each for each in instance_spec(site).seeds if each.volume == site.instance.volume(part))
    return found
