"""A component needs an entry in the tuple and no other edit.

It then appears wherever components are listed.
"""

import json
import time
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import cast

import pytest
import yaml

import reference
from hubpod.components import assembly, jupyterhub, proxy
from hubpod.components.component import Component, ContainerSpec, Image
from hubpod.components.site import CREDENTIALS, Site
from hubpod.deployment import readiness
from hubpod.environments import ENVIRONMENTS, Environment, Stage, find_environment
from hubpod.instances import Instance
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import Container, File, Mount, Seed, SeedKind
from hubpod.podman.cli import Podman
from hubpod.settings import checks, deploy_dir
from hubpod.settings.credentials import Credential, load_or_create, new_token
from hubpod.settings.table import Setting
from hubpod.system.process import Result
from hubpod_harness.blueprint import HarnessSecrets, blueprint
from support.sites import site

ENVIRONMENT = find_environment("dev_dummyauth")
KEY = Credential(name="made_up_key", generate=new_token)
COLOUR = Setting(
    key="madeUpColour",
    variable="DEPLOY_CONFIG_MADE_UP_COLOUR",
    meaning="colour of the made-up component",
    check=checks.one_of("blue", "green"),
    default="blue",
)


def spec(site: Site) -> ContainerSpec:
    """Describe a container with a credential, a setting and a data volume."""
    keys, data = site.instance.volume("made-up-credentials"), site.instance.volume("made-up-data")
    key = File(path="key", content=site.credentials[KEY], mode=0o400)
    container = Container(
        name="made-up",
        image=site.images["made-up-image"],
        env={COLOUR.variable: site.settings.values[COLOUR.key]},
        mounts=(Mount(volume=keys, path=CREDENTIALS, read_only=True), Mount(volume=data, path="/data")),
        ready=("made-up-ready",),
        waits_for="the made-up component",
    )
    seeds = (Seed(volume=keys, kind=SeedKind.CREDENTIAL, files=(key,)), Seed(volume=data, kind=SeedKind.DATA))
    return ContainerSpec(container=container, seeds=seeds)


MADE_UP = Component(
    name="made-up",
    purpose="stands for any component",
    image=Image(name="made-up-image"),
    spec=spec,
    is_in=lambda environment: environment.slurm.in_pod,
    credentials=(KEY,),
    settings=(COLOUR,),
    after=(jupyterhub.NAME,),
    ready=("made-up-ready",),
    backed_up=("made-up-data",),
)


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the component at the front, where it would start first if it did not wait for the hub."""
    monkeypatch.setattr(assembly, "COMPONENTS", (MADE_UP, *assembly.COMPONENTS))


@pytest.fixture
def made() -> Site:
    """A site of an environment that has the component."""
    return site(ENVIRONMENT)


def test_the_pod_manifest_has_it_after_the_hub(made: Site) -> None:
    """The manifest has the new container after the component that it waits for.

    The container has its image, setting and volumes.
    """
    *_, document = yaml.safe_load_all(podman_manifest.manifest(assembly.instance_spec(made)))

    containers = {each["name"]: each for each in document["spec"]["containers"]}
    assert list(containers)[-2:] == [jupyterhub.NAME, "made-up"]
    assert containers["made-up"]["image"] == made.images["made-up-image"]
    assert containers["made-up"]["env"] == [{"name": COLOUR.variable, "value": "blue"}]
    volumes = document["spec"]["volumes"]
    claims = {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}
    assert {made.instance.volume("made-up-data"), made.instance.volume("made-up-credentials")} <= claims


def test_the_kubernetes_manifest_has_it(made: Site) -> None:
    """The container, a claim for its data and its credential are in a cluster's manifest."""
    text = cluster.manifest(assembly.instance_spec(made), digest_key=b"key")

    names = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(text)}
    assert ("PersistentVolumeClaim", made.instance.volume("made-up-data")) in names
    assert "made-up-credentials" in text
    assert "name: made-up\n" in text


def test_other_environments_lack_it() -> None:
    """The predicate decides about container, image and setting."""
    other = find_environment("prod")

    assert "made-up" not in [each.name for each in assembly.components(other)]
    assert "made-up-image" not in assembly.image_names(other)
    assert COLOUR.key not in site(other).settings.values


def test_its_image_is_built() -> None:
    """The directory below containers/ is among the images of the environment."""
    assert assembly.image_names(ENVIRONMENT) == ("jupyterhub", "made-up-image", "slurm")


def test_its_credential_is_generated_once(tmp_path: Path) -> None:
    """The credentials directory gets a file of that name."""
    first = load_or_create(tmp_path, assembly.credentials())

    assert load_or_create(tmp_path, assembly.credentials())[KEY] == first[KEY]
    assert (tmp_path / KEY.name).read_bytes() == first[KEY]


def test_its_setting_is_validated(tmp_path: Path) -> None:
    """The deploy ConfigMap may set the key, and a wrong value is reported."""
    data = {"devUsers": "a.b", "dummyAuthPassword": "a long password", COLOUR.key: "red"}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
    (tmp_path / "deploy-configmap.yaml").write_text(json.dumps(document))

    with pytest.raises(Exception, match=f"{COLOUR.key}.*must be one of blue, green"):
        deploy_dir.load(tmp_path, ENVIRONMENT, assembly.settings())


def test_it_is_waited_for_after_the_hub(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its readiness command runs only once the hub is ready."""
    monkeypatch.setattr(readiness, "COMMAND_INTERVAL_S", 0.01)
    pod = FakePod(made.instance)

    readiness.wait_until_ready(
        cast("Podman", pod), made.instance, assembly.instance_spec(made), "", lambda _: None, timeout_s=60
    )

    assert set(pod.executed) == {"slurm", proxy.NAME, jupyterhub.NAME, "made-up"}
    assert pod.executed[-1] == "made-up"


class FakePod:
    """A pod in which every readiness command succeeds, Slurm's and the hub's after a while."""

    def __init__(self, instance: Instance) -> None:
        self._instance, self._lock = instance, Lock()
        self.executed: list[str] = []

    def execute(self, container: str, argv: tuple[str, ...], **_: object) -> Result:
        """Note the container, and succeed."""
        name = assembly.short_name(self._instance, container)
        if name in {"slurm", jupyterhub.NAME}:
            time.sleep(0.05)
        with self._lock:
            self.executed.append(name)
        return Result(argv=argv, returncode=0)


def test_its_data_is_backed_up() -> None:
    """An upgrade stops it and copies its data volume, as it does with the hub and its database."""
    assert assembly.backups(ENVIRONMENT) == {jupyterhub.DATA_VOLUME: jupyterhub.COMPONENT, "made-up-data": MADE_UP}


def test_help_texts_name_it() -> None:
    """The help text of --container lists it."""
    assert assembly.container_names(Stage.DEV) == "jupyterhub, made-up, proxy, slurm or zenith"
    assert assembly.container_names(Stage.PROD) == "jupyterhub, proxy or zenith"


def test_the_readme_lists_it() -> None:
    """The generated tables describe the container and its setting."""
    assert "| `made-up` | stands for any component | `containers/made-up-image` |" in reference.containers_table()
    assert f"| `{COLOUR.key}` | {COLOUR.meaning} |" in reference.settings_table()


def test_stacks_of_the_harness_have_it(made: Site) -> None:
    """Tests run it as it is deployed."""
    images = {**made.images, "testkit": "localhost/hubpod/testkit:unbuilt"}

    stack = blueprint(replace(made, images=images), HarnessSecrets())

    assert "made-up" in [each.name for each in stack.hub_pod.containers]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.name)
def test_components_agree_with_their_containers(environment: Environment) -> None:
    """Name, image and readiness are the same in the declaration and in the container."""
    made = site(environment)

    for component in assembly.components(environment):
        container = component.spec(made).container
        assert container.name == component.name
        assert container.image == made.images[component.image.name]
        assert (container.ready, container.ready_line) == (component.ready, component.ready_line)
