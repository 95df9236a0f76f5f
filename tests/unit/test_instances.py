"""The names of instances and of their resources."""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.deployment.plan import find_reserved_ending, validate
from hubpod.environments import ENVIRONMENTS
from hubpod.errors import UsageError
from hubpod.instances import Instance, find_instance
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import PodSpec, Seed, SeedKind
from hubpod.podman.answers import Volume
from hubpod.podman.snapshot import Snapshot
from hubpod.pods import InstanceSpec
from hubpod.request import UpRequest
from hubpod.workspace import Workspace
from support.sites import site
from support.stand_ins import context_at

LONGEST = 20
SITES = {environment.name: site(environment) for environment in ENVIRONMENTS}
NOTHING = Snapshot(containers={}, volumes={})


@pytest.mark.parametrize("name", ["../../x", "a b", "", "-a", "a-", "Ä", "a" * 21, "a/b", "a\nb"])
def test_an_instance_name_that_could_not_be_a_resource_is_refused(name: str) -> None:
    """Instance names that directories, podman or Kubernetes could not have are refused."""
    with pytest.raises(UsageError, match="instance name"):
        find_instance("dev_dummyauth", name)


def test_a_capital_letter_gets_a_suggestion() -> None:
    """An invalid capital letter leads to a suggestion in lower case."""
    with pytest.raises(UsageError, match="did you mean 'mine-2'"):
        find_instance("dev_dummyauth", "Mine 2")


BASES = ("x", "default", "slurm", "homes", "hub", "a--b", "extslurm", "zenithclient", "import", "12e4", "tmpfs")


def confusing_names(parts: Collection[str]) -> Iterator[str]:
    """Yield instance names that contain, begin or end with the names of parts of instances."""
    words = {"-".join(each) for part in parts for each in _slices(part.split("-"))} | {"pod", "infra", "import", "x"}
    for base, word in itertools.product(BASES, sorted(words)):
        yield from (base, word, f"{base}-{word}", f"{word}-{base}", f"{base}-x-{word}", f"{base}-{word}-{word}")


def _slices(words: list[str]) -> Iterator[list[str]]:
    for start, end in itertools.combinations(range(len(words) + 1), 2):
        yield words[start:end]


def objects(instance: Instance) -> dict[str, set[str]]:
    """Return the names of an instance's objects that must be unique among all instances, by kind."""
    pod = instance_spec(replace(SITES[instance.environment.name], instance=instance))
    volumes = {seed.volume for seed in pod.seeds}
    return {
        # podman has one set of names for both.
        "pods and containers": {*(each.name for each in pod.pods), *pod.podman_names.values()},
        "volumes": volumes | {f"{volume}-import" for volume in volumes} | {podman_manifest.tmpfs_prefix(pod.name)},
        "networks and units": {instance.resource},
        "directories": {str(Workspace(project=Path("/p")).files(instance).directory)},
        "locks": {f"{instance.environment.name}.{instance.name}"},
    }


def test_no_two_instances_share_a_name() -> None:
    """Over all pairs of names that can be generated, no object of one instance has the name of another's."""
    owners: dict[tuple[str, str], Instance] = {}
    for environment in ENVIRONMENTS:
        pod = instance_spec(SITES[environment.name])
        volumes = {seed.volume.removeprefix(f"{pod.name}-") for seed in pod.seeds}
        parts = volumes | {container.name for container in pod.containers}
        names = {name for name in confusing_names(parts) if len(name) <= LONGEST and not find_reserved_ending(name)}
        assert len(names) > 100
        for name in names:
            instance = find_instance(environment.name, name)
            for kind, mine in objects(instance).items():
                for each in mine:
                    assert owners.setdefault((kind, each), instance) == instance, (each, owners[kind, each], instance)


@pytest.mark.parametrize("ending", ["slurm", "proxy", "jupyterhub", "zenith"])
def test_the_name_of_a_container_is_refused(ending: str, tmp_path: Path) -> None:
    """The pod of the instance x-slurm would have the name of a container of x; other endings are accepted."""
    request = UpRequest(instance=find_instance("dev_dummyauth", f"x-{ending}"))

    with pytest.raises(UsageError, match=f"--x-{ending} is the name of a container of the instance 'x'") as caught:
        validate(context_at(tmp_path), request, NOTHING)

    assert caught.value.remedy == f"choose a name that does not end in -{ending}"
    assert not (tmp_path / ".hubpod").exists()
    for accepted in (ending, f"{ending}-x", f"x{ending}", f"x-{ending}2"):
        validate(context_at(tmp_path), replace(request, instance=find_instance("dev_dummyauth", accepted)), NOTHING)


def test_an_existing_instance_keeps_its_name(tmp_path: Path) -> None:
    """Its volumes are found by the name that they had before such names were refused."""
    instance = find_instance("dev_dummyauth", "x-slurm")
    homes = instance.volume("homes")
    found = Snapshot(containers={}, volumes={homes: Volume(name=homes, labels=instance.labels)})

    validate(context_at(tmp_path), UpRequest(instance=instance), found)

    assert homes == "hubpod-dev-dummyauth--x-slurm-homes"


def test_the_longest_name_is_a_host_name() -> None:
    """The pod's name is its host name, which has at most 63 characters (RFC 1123)."""
    for environment in ENVIRONMENTS:
        assert len(find_instance(environment.name, "a" * LONGEST).resource) <= 63


def test_volumes_that_end_alike_are_refused() -> None:
    """With the volumes config and hub-config, instances x and x-hub would share a volume."""
    seeds = tuple(Seed(volume=f"pod-{part}", kind=SeedKind.DATA) for part in ("config", "hub-config"))

    pod = PodSpec(name="pod", instance="pod", labels={}, containers=(), seeds=seeds)

    with pytest.raises(ValueError, match="names that end alike"):
        InstanceSpec(name="pod", pods=(pod,))
