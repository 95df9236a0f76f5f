"""Transient failures of podman, with a stand-in that fails like podman."""

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
    """Return a podman of which one command fails a number of times before it succeeds."""
    path = folder / "podman"
    path.write_text(PODMAN.format(folder=folder, command=command, failure=failure, failures=failures, answer=answer))
    path.chmod(0o755)
    return Podman(executable=str(path))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without pauses."""
    monkeypatch.setattr(podman_cli, "PAUSE_S", 0)


def test_removal_of_a_busy_pod_is_retried(tmp_path: Path) -> None:
    """The removal of a pod is retried while a process of podman mounts its directories.

    It does so for a moment after kill -9 of a start.
    """
    failing(tmp_path, "pod-rm", "unlinkat userdata/shm: device or resource busy", 3).remove_pod("pod")

    assert (tmp_path / "tries").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("failure", "tries"), [("device or resource busy", podman_cli.TRIES), ("permission denied", 1)]
)
def test_failure_to_remove_a_pod_is_reported(tmp_path: Path, failure: str, tries: int) -> None:
    """Only transient failures are retried, and only a limited number of times."""
    with pytest.raises(CommandError) as caught:
        failing(tmp_path, "pod-rm", failure, 1000).remove_pod("pod")

    assert failure in caught.value.detail[-1]
    assert (tmp_path / "tries").read_text().count("\n") == tries


VOLUMES = '[{"Name": "ours", "Labels": {"hubpod.instance": "one"}}, {"Name": "theirs", "Labels": {}}]'
IMAGES = '[{"Names": ["localhost/hubpod/slurm:dev-0", "localhost/other:1"], "Created": 1, "Id": "0"}]'


def test_listing_volumes_is_retried_when_one_is_removed(tmp_path: Path) -> None:
    """A list of volumes is retried when a volume is removed in between.

    Podman 4.3 inspects each volume after listing all, and fails for the removed one.
    """
    failure = "no volume with name other found in database: no such volume"
    listing = failing(tmp_path, "volume-ls", failure, 2, answer=VOLUMES)

    assert list(listing.volumes({"hubpod.instance": "one"})) == ["ours"]


def test_listing_images_is_retried_when_one_is_removed(tmp_path: Path) -> None:
    """A list of images is retried when an image is removed in between.

    Podman 4.3 inspects each image after listing all, and fails for the removed one.
    """
    failure = 'reading image "320d": locating image with ID "320d": image not known'
    listing = failing(tmp_path, "images---filter=label=*", failure, 2, answer=IMAGES)

    assert podman_images.list_managed(listing, "localhost/hubpod/slurm:") == {"localhost/hubpod/slurm:dev-0": 1}


def test_missing_image_does_not_hide_the_others(tmp_path: Path) -> None:
    """If one of several images is missing, podman fails but prints the ids of the others."""
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\necho 1a localhost/base:1 localhost/hub:2\necho 2b localhost/slurm:3\nexit 125\n")
    program.chmod(0o755)

    found = Podman(executable=str(program)).image_ids(["localhost/slurm:3", "localhost/gone:4", "localhost/hub:2"])

    assert found == {"localhost/slurm:3": "2b", "localhost/hub:2": "1a"}


def test_volume_that_hubpod_did_not_create_is_refused(tmp_path: Path) -> None:
    """The error has the command that removes it."""
    taken = "Error: volume with name homes already exists: volume already exists"
    with pytest.raises(MachineError, match="the volume homes exists already, and hubpod has not created it") as caught:
        podman_volumes.create(failing(tmp_path, "volume-create", taken, 1), "homes", {})

    assert caught.value.remedy == "remove it with `podman volume rm homes`"
