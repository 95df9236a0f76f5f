"""The probe: how a project is matched, what a progress event shows, and what happens when a step fails."""

import pytest

from hubpod.client import Form, ProgressEvent, SlurmState
from hubpod.client.forms import parse_forms
from hubpod.errors import ProbeError
from hubpod.probe import match_project, phase_of


def project_form(*values: str) -> Form:
    """A spawn form that offers these projects."""
    options = "".join(f"<option value='{value}'>" for value in values)
    return parse_forms(f"<form><select name=brics_project>{options}</select></form>")[0]


@pytest.mark.parametrize("offered", ["project1", "project1.portal"])
def test_project_matches_up_to_the_first_dot(offered: str) -> None:
    """A project is found with and without its portal, and not by a mere prefix."""
    assert match_project("project1", project_form("project11.portal", offered)) == offered


def test_whole_name_of_a_project_wins() -> None:
    """A project that is named in full is not ambiguous."""
    assert match_project("a.x", project_form("a.x", "a.y")) == "a.x"


@pytest.mark.parametrize(
    ("project", "sentence"),
    [
        ("a", "project a could be any of what the spawn form offers: a.x, a.y"),
        ("c", "project c is not among what the spawn form offers: a.x, a.y, b.x"),
    ],
)
def test_unclear_project_lists_the_choices(project: str, sentence: str) -> None:
    """An ambiguous project lists its matches, an unknown one everything on offer."""
    with pytest.raises(ProbeError) as caught:
        match_project(project, project_form("a.x", "a.y", "b.x"))

    assert caught.value.message == sentence


def test_project_needs_a_field() -> None:
    """A form without a project field says so."""
    with pytest.raises(ProbeError, match="no field brics_project"):
        match_project("a", Form())


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        (ProgressEvent(progress=0, message="Server requested"), ""),
        (ProgressEvent(progress=5, slurm=SlurmState(job_id="1", state="PENDING")), "pending"),
        (ProgressEvent(progress=5, slurm=SlurmState(job_id="1", state="RUNNING")), "starting"),
        (ProgressEvent(progress=5, slurm=SlurmState(job_id="1", state="COMPLETED")), ""),
        (ProgressEvent(progress=5, message="Pending in queue..."), "pending"),
        (ProgressEvent(progress=5, message="Cluster job running... waiting to connect"), "starting"),
        (ProgressEvent(progress=100, ready=True), "ready"),
    ],
)
def test_phase_is_told_by_slurm_or_else_by_the_message(event: ProgressEvent, phase: str) -> None:
    """The job's state tells the step that is reached; without it, batchspawner's own messages do."""
    assert phase_of(event) == phase
