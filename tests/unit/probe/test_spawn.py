"""Steps of the probe in progress events."""

import pytest

from hubpod.client import ProgressEvent, SlurmState
from hubpod.probe.spawn import phase_of


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
def test_phase_comes_from_slurm_or_the_message(event: ProgressEvent, phase: str) -> None:
    """The state of the job or, without it, batchspawner's message determines the step."""
    assert phase_of(event) == phase
