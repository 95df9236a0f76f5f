"""Blueprints of stacks: the deployed pod, and the harness's additions."""

from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.components.site import MountedSource, Site
from hubpod.environments import find_environment
from hubpod.errors import SettingsError
from hubpod.instances import Instance
from hubpod.pod import File, Port
from hubpod.sources.clones import SOURCE_NAMES
from hubpod_harness.blueprint import LINK, Blueprint, HarnessSecrets, blueprint
from hubpod_harness.external_services import ISSUER
from hubpod_harness.keys import ALGORITHMS, new_key, read_keys, write_keys
from hubpod_harness.ssh_surface import RELAY_PORT, SSHD_PORT
from hubpod_harness.stack_launcher import StackRequest, create_site
from support.instances import PROJECT

IMAGES = tuple((name, f"localhost/hubpod/{name}:dev-0") for name in ("jupyterhub", "slurm", "testkit", "zenith-client"))


def stack_request(environment: str = "dev_realauth", *changes: tuple[str, str]) -> StackRequest:
    """Return a stack request."""
    return StackRequest(
        environment=find_environment(environment), images=IMAGES, volumes=PROJECT / "volumes", changes=changes
    )


def site(directory: Path, request: StackRequest | None = None) -> Site:
    """Return the site of a stack request."""
    request = request or stack_request()
    return create_site(request, Instance(environment=request.environment, name="t-1"), directory, HarnessSecrets())


def file(plan: Blueprint, volume: str, path: str) -> str:
    """Return the content of a seed's file, or an empty text if it does not exist."""
    found = [
        each.content for seed in plan.seeds if seed.volume.endswith(volume) for each in seed.files if each.path == path
    ]
    return found[0].decode() if found else ""


def test_the_containers_are_the_deployed_ones(tmp_path: Path) -> None:
    """The containers are those of the deployed pods, apart from their ports.

    The owner of the hub's network publishes the ports of the hub's pod, and Slurm's container that of sshd.
    """
    of = site(tmp_path)

    plan = blueprint(of, HarnessSecrets())

    deployed = tuple(replace(container, ports=()) for container in instance_spec(of).containers)
    assert tuple(replace(container, ports=()) for container in plan.spec.containers) == deployed
    published = tuple(port for container in instance_spec(of).containers for port in container.ports)
    assert plan.link.ports == (*published, Port(container=RELAY_PORT, host=0))
    ports = {container.name: container.ports for container in plan.spec.containers if container.ports}
    assert ports == {"slurm": (Port(container=SSHD_PORT, host=0),)}


def test_slurm_has_a_network_of_its_own(tmp_path: Path) -> None:
    """The hosts are the services outside the instance, and Slurm by the name of its pod."""
    plan = blueprint(site(tmp_path), HarnessSecrets())

    assert [container.name for container in plan.hosts.values()] == [ISSUER, "slurm"]
    assert list(plan.hosts)[1] == f"{plan.hub_pod.name}-slurm"
    assert "slurm" not in [container.name for container in plan.hub_pod.containers]


@pytest.mark.parametrize("environment", ["dev_realauth", "dev_dummyauth"])
def test_every_volume_has_a_seed(tmp_path: Path, environment: str) -> None:
    """Every volume that a container mounts has a seed."""
    plan = blueprint(site(tmp_path, stack_request(environment)), HarnessSecrets())

    mounted = {mount.volume for container in plan.containers for mount in container.mounts}
    assert mounted == {seed.volume for seed in plan.seeds}


@pytest.mark.parametrize("environment", ["dev_realauth", "dev_dummyauth_extslurm", "prod"])
def test_every_environment_mounts_the_sources(tmp_path: Path, environment: str) -> None:
    """Hub and Slurm mount the sources in every environment.

    This includes production, because test images contain no releases.
    """
    code = tuple(
        (name, MountedSource(directory=tmp_path, files=(File(path="code.py", content=name.encode()),)))
        for name in SOURCE_NAMES
    )
    plan = blueprint(site(tmp_path, replace(stack_request(environment), sources=code)), HarnessSecrets())

    mounted = {mount.path: file(plan, mount.volume, "code.py") for each in plan.containers for mount in each.mounts}
    assert {name: mounted[f"/usr/src/{name}"] for name in SOURCE_NAMES} == {name: name for name in SOURCE_NAMES}


def test_only_token_login_has_an_issuer(tmp_path: Path) -> None:
    """A stack with a login form has no token issuer."""
    by_token = blueprint(site(tmp_path / "a"), HarnessSecrets())
    by_form = blueprint(site(tmp_path / "b", stack_request("dev_dummyauth")), HarnessSecrets())

    assert [container.name for container in by_token.containers[:2]] == [LINK, ISSUER]
    assert ISSUER not in [container.name for container in by_form.containers]


def test_a_tests_configuration_is_loaded_last(tmp_path: Path) -> None:
    """A test's configuration is a fragment that is loaded last."""
    plan = blueprint(site(tmp_path), HarnessSecrets(), config="c.Spawner.start_timeout = 5")

    fragments = sorted(each.path for seed in plan.seeds for each in seed.files if each.path.startswith("fragments/"))
    assert file(plan, "hub-config", fragments[-1]).splitlines() == ["c = get_config()", "c.Spawner.start_timeout = 5"]
    assert "fragments/login_jwt.py" in fragments


def test_the_harness_keeps_its_secrets_out_of_environments(tmp_path: Path) -> None:
    """The harness's tokens are in private files, and in no variable or argument."""
    keys = HarnessSecrets()

    plan = blueprint(site(tmp_path), keys)

    shown = repr(plan.containers)
    assert not [secret for secret in (keys.observer, keys.control, keys.password) if secret in shown]
    assert file(plan, "hub-credentials", "env/HUBPOD_OBSERVER_TOKEN") == keys.observer
    assert keys.observer not in repr(plan)


def test_a_changed_setting_is_validated_as_a_sites_own(tmp_path: Path) -> None:
    """An invalid value of a changed setting is reported with its key."""
    with pytest.raises(SettingsError, match="logLevel"):
        site(tmp_path, stack_request("dev_realauth", ("logLevel", "LOUD")))


def test_written_keys_can_be_read() -> None:
    """The keys of an issuer that outlives its run stay the same."""
    keys = {algorithm: new_key(algorithm, f"{algorithm}-1") for algorithm in ALGORITHMS}

    again = read_keys(write_keys(keys))

    assert {name: key.public_jwk for name, key in again.items()} == {name: key.public_jwk for name, key in keys.items()}
