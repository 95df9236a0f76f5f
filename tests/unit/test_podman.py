"""What podman's own failures come to, with a stand-in that fails in the way that podman does at odd moments."""

from pathlib import Path

import pytest

from hubpod import podman
from hubpod.podman import Podman
from hubpod.process import CommandError

REMOVAL = """#!/bin/sh
case $1-$2 in pod-rm) ;; *) exit 0 ;; esac
echo >>{folder}/tries
[ $(wc -l <{folder}/tries) -gt {failures} ] && exit 0
echo 'Error: unlinkat /var/lib/containers/storage/overlay-containers/0/userdata/shm: {failure}' >&2
exit 125
"""


def removing(folder: Path, failure: str, failures: int) -> Podman:
    """A podman that cannot remove a pod so many times."""
    path = folder / "podman"
    path.write_text(REMOVAL.format(folder=folder, failure=failure, failures=failures))
    path.chmod(0o755)
    return Podman(executable=str(path))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be waited for."""
    monkeypatch.setattr(podman, "BUSY_PAUSE_S", 0)


def test_a_pod_that_a_killed_start_keeps_busy_is_removed(tmp_path: Path) -> None:
    """What goes on after a kill -9 mounts a container's folders for a moment longer."""
    removing(tmp_path, "device or resource busy", 3).remove_pod("pod")

    assert (tmp_path / "tries").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("failure", "tries"), [("device or resource busy", podman.BUSY_TRIES), ("permission denied", 1)]
)
def test_a_pod_that_cannot_be_removed_is_told(tmp_path: Path, failure: str, tries: int) -> None:
    """Nothing else is tried again, and nothing for ever."""
    with pytest.raises(CommandError) as caught:
        removing(tmp_path, failure, 1000).remove_pod("pod")

    assert failure in caught.value.detail[-1]
    assert (tmp_path / "tries").read_text().count("\n") == tries
