"""What is old, and what is never removed."""

from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.commands.instances import list_instances
from hubpod.commands.prune import find_leftovers, find_old_images, remove_leftovers
from hubpod.components.assembly import pod_names
from hubpod.labels import LABEL_PROJECT
from hubpod.podman.disk_usage import StoredImage, readable
from support.deployments import OLD, Deployment, deployment


def image(name: str, *, used: bool = False) -> StoredImage:
    """Return an image of hubpod."""
    return StoredImage(id=f"id-{name}", name=name and f"localhost/hubpod/{name}", created=0, size=1, used=used)


def test_the_newest_of_each_kind_and_what_is_used_is_kept() -> None:
    """An unnamed image that no container uses is old, too."""
    images = [
        image("slurm:dev-3"),
        image("slurm:prod-3"),
        image("slurm:dev-2", used=True),
        image("slurm:dev-1"),
        image(""),
        image("", used=True),
        image("base:bootstrap-1"),
    ]

    assert [each.name for each in find_old_images(images)] == ["localhost/hubpod/slurm:dev-1", ""]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Bring an instance up, on a podman without images."""
    monkeypatch.setattr("hubpod.commands.prune.list_images", lambda _: [])
    for module in ("prune", "instances"):
        sizes = {"hubpod-dev-dummyauth--default-homes": 1_500_000, "hubpod-dev-dummyauth--default-hub-data": 500_000}
        monkeypatch.setattr(f"hubpod.commands.{module}.volume_sizes", lambda _, sizes=sizes: sizes)
    made = deployment("dev_dummyauth", tmp_path)
    made.up(OLD)
    return made


def stop(made: Deployment) -> None:
    """Let all containers end."""
    for pod in made.podman.pods.values():
        pod.states.update(dict.fromkeys(pod.states, "exited"))


@pytest.mark.parametrize("volumes", [False, True])
def test_a_running_instance_is_kept(made: Deployment, *, volumes: bool) -> None:
    """Nothing of it is removed."""
    assert find_leftovers(made.context, volumes=volumes) == []


def test_a_stopped_instance_keeps_its_data(made: Deployment) -> None:
    """Without --volumes only containers are removed."""
    stop(made)
    before = set(made.podman.data())

    leftovers = find_leftovers(made.context, volumes=False)
    remove_leftovers(made.context, leftovers)

    assert [each.what for each in leftovers] == ["stopped containers of dev_dummyauth, instance default"]
    assert not made.podman.pods
    assert set(made.podman.data()) == before


def test_volumes_of_a_stopped_instance_are_removed_on_request(made: Deployment) -> None:
    """The plan has their size."""
    stop(made)

    leftovers = find_leftovers(made.context, volumes=True)
    remove_leftovers(made.context, leftovers)

    assert [each.size for each in leftovers] == [2_000_000]
    assert not made.podman.stored


@pytest.mark.parametrize("exists", [True, False])
def test_an_instance_of_another_checkout_is_kept_while_that_exists(
    made: Deployment, tmp_path: Path, *, exists: bool
) -> None:
    """Its developer may bring it up again."""
    stop(made)
    owner = tmp_path / "other"
    if exists:
        owner.mkdir()
    for name, volume in made.podman.stored.items():
        made.podman.stored[name] = replace(volume, labels={**volume.labels, LABEL_PROJECT: str(owner)})

    assert bool(find_leftovers(made.context, volumes=True)) is not exists


def test_production_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped pod of production is for prod.* commands."""
    monkeypatch.setattr("hubpod.commands.prune.list_images", lambda _: [])
    monkeypatch.setattr("hubpod.commands.prune.volume_sizes", lambda _: {})
    production = deployment("prod", tmp_path)
    production.up(OLD)
    stop(production)

    assert find_leftovers(production.context, volumes=True) == []


def test_the_list_has_every_instance(made: Deployment) -> None:
    """State, size and checkout are listed; an instance without containers is down."""
    other = made.instance("other")
    other.up(OLD)
    for pod in pod_names(other.base.instance):
        made.podman.remove_pod(pod)

    default, second = list_instances(made.context)

    assert (default.instance, default.state != "down", default.disk_bytes) == ("default", True, 2_000_000)
    assert (second.instance, second.state, second.started) == ("other", "down", None)
    assert default.checkout == str(made.directory)
    assert default.as_dict()["disk_bytes"] == 2_000_000


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (694, "694 B"), (1_500, "1.5 kB"), (448_000_000, "448 MB"), (2 * 10**12, "2 TB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    """Units are decimal, as podman prints them."""
    assert readable(size) == text
