"""What podman's own failures come to, with a stand-in that fails in the way that podman does at odd moments."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from hubpod.errors import MachineError
from hubpod.podman import cli as podman_cli
from hubpod.podman import images as podman_images
from hubpod.podman import remembering as podman_remembering
from hubpod.podman import volumes as podman_volumes
from hubpod.podman.cli import Podman
from hubpod.podman.remembering import remembering
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


@pytest.mark.parametrize(("remembered_s", "failures", "asked"), [(60, 0, 1), (0, 0, 3), (60, 2, 3)])
def test_an_answer_is_remembered_for_a_moment_and_a_failure_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remembered_s: float, failures: int, asked: int
) -> None:
    """Who only looks asks the same question once; what is older than a moment is asked again."""
    monkeypatch.setattr(podman_remembering, "REMEMBERED_S", remembered_s)
    looking = remembering(failing(tmp_path, "volume-ls", "no such volume", failures, answer=VOLUMES))

    for _ in range(3 - failures):
        assert list(looking.volumes({"hubpod.instance": "one"})) == ["ours"]

    assert (tmp_path / "tries").read_text().count("\n") == asked


SLOW = """#!/bin/sh
echo "$*" >>{folder}/tries
until [ -e {folder}/go ]; do sleep 0.01; done
case $1-$2 in
  volume-ls) echo '{answer}' ;;
  image-inspect) echo 1a localhost/base:1; exit 125 ;;
esac
"""


def slow(folder: Path) -> Podman:
    """A podman that answers as soon as there is a file called go."""
    path = folder / "podman"
    path.write_text(SLOW.format(folder=folder, answer=VOLUMES))
    path.chmod(0o755)
    return Podman(executable=str(path))


def tries(folder: Path) -> list[str]:
    """What the stand-in was asked so far; waits for the first question."""
    path = folder / "tries"
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.read_text().splitlines()


def test_what_was_asked_ahead_is_not_asked_again(tmp_path: Path) -> None:
    """Whoever needs an answer that is under way waits for it."""
    looking = remembering(slow(tmp_path))
    labels = {"hubpod.instance": "one"}

    looking.ask_ahead(lambda: looking.volumes(labels))
    assert len(tries(tmp_path)) == 1  # the first one is on its way
    with ThreadPoolExecutor() as pool:
        needed = pool.submit(looking.volumes, labels)
        (tmp_path / "go").touch()
        assert list(needed.result()) == ["ours"]

    assert len(tries(tmp_path)) == 1


def test_a_failure_of_what_was_asked_ahead_is_told_to_nobody(tmp_path: Path) -> None:
    """Whoever needs the answer asks for it again."""
    looking = remembering(failing(tmp_path, "volume-ls", "the database is locked", 1, answer=VOLUMES))

    def ask() -> object:
        try:
            return looking.volumes({"hubpod.instance": "one"})
        finally:
            ended.set()

    ended = Event()
    looking.ask_ahead(ask)
    assert ended.wait(10)

    assert list(looking.volumes({"hubpod.instance": "one"})) == ["ours"]


def test_an_image_that_was_asked_for_with_others_is_not_asked_for_again(tmp_path: Path) -> None:
    """Whether it is there or not."""
    (tmp_path / "go").touch()
    looking = remembering(slow(tmp_path))

    assert looking.image_ids(["localhost/base:1", "localhost/gone:2"]) == {"localhost/base:1": "1a"}
    assert looking.image_ids(["localhost/gone:2"]) == {}
    assert looking.image_ids(["localhost/base:1"]) == {"localhost/base:1": "1a"}

    assert len(tries(tmp_path)) == 1


def test_a_volume_that_somebody_else_has_made_is_not_taken(tmp_path: Path) -> None:
    """Newer podmans would take it for the wanted one."""
    with pytest.raises(MachineError, match="there is a volume homes that hubpod has not made") as caught:
        podman_volumes.create(failing(tmp_path, "volume-ls", "", 0, answer="homes other"), {"config": {}, "homes": {}})

    assert caught.value.remedy == "remove it with `podman volume rm homes`"
