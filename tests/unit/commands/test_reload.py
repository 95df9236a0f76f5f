"""The sources of a reload."""

from dataclasses import replace
from pathlib import Path

from hubpod.commands.reload import with_recorded_sources
from hubpod.components.site import MountedSource
from hubpod.environments import find_environment
from hubpod.images import source_volumes
from hubpod.instances import Instance
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCES
from hubpod.sources.origins import Origin
from support.sites import PROJECT
from support.stand_ins import context_at


def test_a_reload_takes_the_sources_that_up_took(tmp_path: Path) -> None:
    """A reload uses the recorded directories and the default clone.

    A request for another source wins.
    """
    context = context_at(tmp_path)
    instance = Instance(environment=find_environment("dev_dummyauth"), name="default")
    request, other = UpRequest(instance=instance), Origin(directory=tmp_path / "other")
    own, in_place = SOURCES[0], SOURCES[1]
    code = {
        own.name: MountedSource(directory=own.clone(tmp_path)),
        in_place.name: MountedSource(directory=tmp_path / "mine"),
    }

    assert with_recorded_sources(context, request) == request
    source_volumes.record_directories(context.workspace, instance, code)

    assert with_recorded_sources(context, request).origins == {in_place.name: Origin(directory=tmp_path / "mine")}
    explicit = replace(request, origins={in_place.name: other})
    assert with_recorded_sources(context, explicit) == explicit


def test_the_recorded_loop_shows_each_outcome_of_an_edit() -> None:
    """docs/edit-loop.md shows every outcome of an edit.

    The outcomes are a restart, no restart, a refused edit, a restored edit and no change.
    """
    loop = (PROJECT / "docs" / "edit-loop.md").read_text().partition("<!-- loop -->")[2].partition("<!-- /loop -->")[0]
    lines = ("restarted: jupyterhub", "restarted: nothing", "was never closed", "is restored", "nothing changed")

    assert [line for line in lines if line not in loop] == []
    assert str(PROJECT) not in loop
