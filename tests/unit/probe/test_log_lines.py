"""The lines of the hub's log that the spawn timeline reads."""

import re

import pytest

from bricsauthenticator.spawner import LISTENS_LOG
from bricsauthenticator.submission import SUBMITTED_LOG, SUBMITTING_LOG
from hubpod.probe.spawn_timeline import HUB_LINES


@pytest.mark.parametrize(
    ("moment", "line"),
    [
        ("submitting", SUBMITTING_LOG % ("ann", "key", "ssh")),
        ("submitted", SUBMITTED_LOG % ("7", "ann")),
        ("listens", LISTENS_LOG % ("7", "ann", "node1", 51399)),
    ],
)
def test_the_timeline_finds_the_log_lines_of_the_spawner(moment: str, line: str) -> None:
    """Each pattern of the timeline matches the line that the spawner writes."""
    assert re.search(HUB_LINES[moment].format(user="ann", job="7"), line)
