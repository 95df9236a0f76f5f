"""What podman's own failures come to, with a stand-in that fails in the way that podman does at odd moments."""

from pathlib import Path

import pytest

from hubpod.errors import MachineError
from hubpod.podman import cli as podman_cli
from hubpod.podman import images as podman_images
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.cli import Podman
from hubpod.system.process import CommandError

PODMAN = """#!/bin/sh
case $1-$2 in {command}) ;; *) exit 0 ;; esac
echo >>{folder}/tries
[ $(wc -l <{folder}/tries) -gt {failures} ] && echo '{answer}' && exit 0
echo 'Error: {failure}' >&2
exit 125
"""


def failing(folder: Path, command: str, failure: str, failures: int, *, answer: str = "") -> Podman:
    """A podman of which one command fails so many times before it answers."""
    path = folder / "podman"
    path.write_text(PODMAN.format(folder=folder, command=command, failure=failure, failures=failures, answer=answer))
    path.chmod(0o755)
    return Podman(executable=str(path))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be waited for."""
    monkeypatch.setattr(podman_cli, "PAUSE_S", 0)


def test_a_pod_that_a_killed_start_keeps_busy_is_removed(tmp_path: Path) -> None:
    """What goes on after a kill -9 mounts a container's folders for a moment longer."""
    failing(tmp_path, "pod-rm", "unlinkat userdata/shm: device or resource busy", 3).remove_pod("pod")

    assert (tmp_path / "tries").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("failure", "tries"), [("device or resource busy", podman_cli.TRIES), ("permission denied", 1)]
)
def test_a_pod_that_cannot_be_removed_is_told(tmp_path: Path, failure: str, tries: int) -> None:
    """Nothing else is tried again, and nothing for ever."""
    with pytest.raises(CommandError) as caught:
        failing(tmp_path, "pod-rm", failure, 1000).remove_pod("pod")

    assert failure in caught.value.detail[-1]
    assert (tmp_path / "tries").read_text().count("\n") == tries


VOLUMES = '[{"Name": "ours", "Labels": {"hubpod.instance": "one"}}, {"Name": "theirs", "Labels": {}}]'
IMAGES = '[{"Names": ["localhost/hubpod/slurm:dev-0", "localhost/other:1"], "Created": 1, "Id": "0"}]'


def test_a_volume_that_somebody_removes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    """Podman 4.3 looks at each volume after it has listed them, and fails when one is gone by then."""
    failure = "no volume with name other found in database: no such volume"
    listing = failing(tmp_path, "volume-ls", failure, 2, answer=VOLUMES)

    assert list(listing.volumes({"hubpod.instance": "one"})) == ["ours"]


def test_an_image_that_somebody_removes_meanwhile_is_no_failure(tmp_path: Path) -> None:
    """So it does with images."""
    failure = 'reading image "320d": locating image with ID "320d": image not known'
    listing = failing(tmp_path, "images---filter=label=*", failure, 2, answer=IMAGES)

    assert podman_images.list_managed(listing, "localhost/hubpod/slurm:") == {"localhost/hubpod/slurm:dev-0": 1}


def test_images_are_told_together_and_one_that_is_missing_hides_no_other(tmp_path: Path) -> None:
    """Podman ends with an error when one image is missing, and tells of the others all the same."""
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\necho 1a localhost/base:1 localhost/hub:2\necho 2b localhost/slurm:3\nexit 125\n")
    program.chmod(0o755)

    found = Podman(executable=str(program)).image_ids(["localhost/slurm:3", "localhost/gone:4", "localhost/hub:2"])

    assert found == {"localhost/slurm:3": "2b", "localhost/hub:2": "1a"}


def test_a_volume_that_somebody_else_has_made_is_not_taken(tmp_path: Path) -> None:
    """Newer podmans would take it for the wanted one."""
    with pytest.raises(MachineError, match="there is a volume homes that hubpod has not made") as caught:
        podman_volumes.create(failing(tmp_path, "volume-ls", "", 0, answer="homes other"), {"config": {}, "homes": {}})

    assert caught.value.remedy == "remove it with `podman volume rm homes`"
