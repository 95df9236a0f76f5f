"""The manifest for a Kubernetes cluster, and the script of its init container."""

import base64
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings, strategies

from hubpod.components import assembly
from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site
from hubpod.environments import ENVIRONMENTS, Slurm
from hubpod.instances import Instance
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import Container, File, Mount, PodSpec, Port, Seed, SeedKind
from hubpod.pods import InstanceSpec
from hubpod.settings import credentials
from hubpod.settings import deploy_configmap as site_settings
from hubpod.settings.key_files import KeyFiles
from support.instances import PROJECT, run_command

KEY = b"digest key"
LABELS = {"app.kubernetes.io/managed-by": "hubpod", "hubpod.instance": "default"}
BINARY = bytes(range(256))
Document = dict[str, Any]
DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def environment_spec(name: str, folder: Path, instance: str = "default") -> InstanceSpec:
    """The pods that an environment's example settings give."""
    environment = next(each for each in ENVIRONMENTS if each.name == name)
    path = folder / "deploy" / site_settings.FILE_NAME
    site_settings.generate(path, environment, assembly.settings())
    return instance_spec(
        Site(
            instance=Instance(environment=environment, name=instance),
            settings=site_settings.load(path, environment, assembly.settings()),
            credentials=credentials.load_or_create(folder / "credentials", assembly.credentials()),
            images={image: f"registry.example/{image}:1" for image in ("jupyterhub", "slurm", "zenith-client")},
            volumes=PROJECT / "volumes",
            port=8000,
            key_files=KeyFiles(
                ssh_client_key=b"the site's key for the Slurm host\n",
                ssh_known_hosts=b"ssh.example.org ssh-ed25519 the host's key\n",
                zenith_client_key=b"the site's key for the tunnel\n",
                zenith_client_config=b"the site's configuration: of the tunnel\n",
            ),
            hub_api=Port(container=8081, host=18081) if environment.slurm is Slurm.EXTERNAL else None,
        )
    )


def awkward_spec() -> InstanceSpec:
    """A pod of all that a cluster could stumble over."""
    config = (
        File(path="deep/er/a file.txt", content=b"text\n"),
        File(path="deep--er", content=b"trailing \n\ttab\n"),
        File(path="deep/er/binary", content=BINARY, mode=0o600),
    )
    secret = (
        File(path="env/TOKEN", content=b"a secret token", mode=0o400, uid=1000, gid=1001),
        File(path="it's $(HOME)", content=BINARY[::-1], mode=0o640, uid=990, gid=990),
    )
    long = "v" * 100
    seeds = (
        Seed(volume="Awkward_Pod-Config", kind=SeedKind.CONFIG, files=config),
        Seed(volume="Awkward_Pod-foreign", kind=SeedKind.CONFIG, files=(File(path="a", content=b"b", uid=7, gid=8),)),
        Seed(volume="Awkward_Pod-empty", kind=SeedKind.CONFIG),
        Seed(volume="Awkward_Pod-none", kind=SeedKind.CREDENTIAL),
        Seed(volume="Awkward_Pod-keys", kind=SeedKind.CREDENTIAL, files=secret, mode=0o500, uid=1000, gid=1001),
        Seed(volume=long, kind=SeedKind.DATA, mode=0o770, uid=5, gid=6),
    )
    everything = tuple(Mount(volume=seed.volume, path=f"/m{number}") for number, seed in enumerate(seeds))
    port = Port(container=8443, host=443)
    pod = PodSpec(
        name="Awkward_Pod",
        instance="Awkward_Pod",
        labels=LABELS,
        containers=(
            Container(
                name="Main_1",
                image="registry.example/main:1",
                args=("echo", "$(HOME) $$ $x"),
                env={"NUMBER": "1e3", "TRUTH": "y", "DOLLARS": "$(HOME) $$ $$( $x"},
                mounts=everything,
                tmpfs=("/tmp", "/var/tmp"),  # noqa: S108 - paths inside the container
                ports=(port, replace(port, host=444)),
                ready=("ready", "$(HOME)"),
                uid=1234,
            ),
            Container(name="1", image="registry.example/second:1", mounts=(Mount(volume=long, path="/data"),)),
        ),
        seeds=seeds,
    )
    return InstanceSpec(name=pod.name, pods=(pod,))


WITH_SLURM = [environment.name for environment in ENVIRONMENTS if environment.slurm is Slurm.POD]
PODS = [(environment.name, "") for environment in ENVIRONMENTS] + [(name, "slurm") for name in WITH_SLURM]


class Manifest:
    """The documents of one pod in an instance's manifest, read again."""

    def __init__(self, instance: InstanceSpec, part: str = "") -> None:
        self.instance = instance
        name = f"{instance.name}-{part}" if part else instance.name
        self.pod = next(pod for pod in instance.pods if pod.name == name)
        self.text = cluster.manifest(instance, digest_key=KEY)
        documents = parsed(cluster.manifest(instance, digest_key=KEY, secrets=True))
        self.documents = [each for each in documents if each["metadata"]["labels"] == dict(self.pod.labels)]
        (self.deployment,) = self.of_kind("Deployment").values()
        self.template: Document = self.deployment["spec"]["template"]
        self.spec: Document = self.template["spec"]
        self.volumes: dict[str, Document] = {volume["name"]: volume for volume in self.spec["volumes"]}

    def of_kind(self, kind: str) -> dict[str, Document]:
        """The documents of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self.documents if each["kind"] == kind}

    def volume(self, container: int, path: str) -> Document:
        """The pod's volume that a container has at a path."""
        mounts = self.spec["containers"][container]["volumeMounts"]
        return self.volumes[next(mount["name"] for mount in mounts if mount["mountPath"] == path)]


def parsed(text: str) -> list[Document]:
    """The documents of a manifest."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def small(*seeds: Seed, image: str = "i") -> InstanceSpec:
    """An instance of one pod that has these seeds."""
    container = Container(name="c", image=image)
    pod = PodSpec(name="p", instance="p", labels=LABELS, containers=(container,), seeds=seeds)
    return InstanceSpec(name="p", pods=(pod,))


@pytest.fixture(params=[*PODS, ("awkward", "")], ids="-".join, scope="module")
def manifest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifests of each environment's pods and of an awkward one."""
    name, part = request.param
    if name == "awkward":
        return Manifest(awkward_spec())
    return Manifest(environment_spec(name, tmp_path_factory.mktemp("site")), part)


@pytest.fixture(scope="module")
def awkward() -> Manifest:
    """The manifest of the awkward pod alone."""
    return Manifest(awkward_spec())


def expanded(text: str) -> str:
    """Expand a container's text as a cluster does.

    A reference is replaced, and a doubled dollar sign becomes one.
    """
    return re.sub(r"\$(\$|\([^)]*\))", lambda match: "$" if match[1] == "$" else "<a variable>", text)


def test_every_document_is_valid(manifest: Manifest) -> None:
    """Kubernetes' own schemas accept every document, with no field that they do not know."""
    for document in manifest.documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_every_name_is_valid_and_unique(manifest: Manifest) -> None:
    """Names are unique and valid by RFC 1123, and those of Services by RFC 1035."""
    spec = manifest.spec
    services = manifest.of_kind("Service")
    inside = [each["name"] for each in (*spec["volumes"], *spec["containers"], *spec["initContainers"])]
    outside = [(each["kind"], each["metadata"]["name"]) for each in manifest.documents]
    ports = [port["name"] for service in services.values() for port in service["spec"].get("ports", ())]

    assert all(DNS_LABEL.fullmatch(name) for name in [*inside, *services, spec["hostname"]])
    assert all(DNS_SUBDOMAIN.fullmatch(name) for _, name in outside)
    assert all(re.fullmatch(r"(?=.*[a-z])[a-z0-9-]{1,15}", name) for name in ports)
    assert len(set(outside)) == len(outside)
    assert len(set(inside)) == len(inside)


def test_names_of_the_longest_instance_are_valid(tmp_path: Path) -> None:
    """With the longest instance name, no name is longer than its limit of 63 characters."""
    manifest = Manifest(environment_spec("dev_realauth_zenithclient", tmp_path, "a" * 20))

    test_every_name_is_valid_and_unique(manifest)
    annotations = manifest.template["metadata"]["annotations"]
    assert all(len(name.removeprefix("checksum/")) <= 63 for name in annotations)


def test_everything_that_is_referred_to_is_there(manifest: Manifest) -> None:
    """Mounts, volumes and items refer to existing volumes, documents and keys."""
    for container in (*manifest.spec["containers"], *manifest.spec["initContainers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(manifest.volumes)
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(set(paths)) == len(paths)
    sources = list(manifest.volumes.values())
    claims = {each["persistentVolumeClaim"]["claimName"] for each in sources if "persistentVolumeClaim" in each}
    assert claims == set(manifest.of_kind("PersistentVolumeClaim"))
    for source, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        used = {each[source][name]: each[source]["items"] for each in sources if source in each}
        kept = {name: each["data"] | each.get("binaryData", {}) for name, each in manifest.of_kind(kind).items()}
        assert {name: {item["key"] for item in items} for name, items in used.items()} == {
            name: set(content) for name, content in kept.items()
        }


def test_a_configmap_has_the_files_of_its_seed(awkward: Manifest) -> None:
    """Texts are texts, bytes are bytes, and items restore path and mode."""
    source = awkward.volume(0, "/m0")["configMap"]
    document = awkward.of_kind("ConfigMap")[source["name"]]

    contents = {key: text.encode() for key, text in document["data"].items()}
    contents |= {key: base64.b64decode(text) for key, text in document["binaryData"].items()}
    found = {item["path"]: (contents[item["key"]], item["mode"]) for item in source["items"]}

    assert found == {file.path: (file.content, file.mode) for file in awkward.pod.seeds[0].files}
    assert len(document["binaryData"]) == 1


def test_keys_of_nearly_the_same_paths_differ() -> None:
    """Every path has its own valid key, even when paths differ only in separators."""
    paths = ("a/b", "a--b", "a-/b", "a/-b", "a---b", "a-b", "..a", "a b", "a  b", "a" * 300, "b" + "a" * 300)
    files = tuple(File(path=path, content=b"") for path in paths)
    manifest = Manifest(small(Seed(volume="v", kind=SeedKind.CONFIG, files=files)))

    keys = list(manifest.of_kind("ConfigMap")["v"]["data"])

    assert keys[0] == "a--b"
    assert len(set(keys)) == len(paths)
    assert all(re.fullmatch(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}", key) for key in keys)


def test_configuration_can_be_read_and_compared(manifest: Manifest) -> None:
    """Every line of every configuration file of an environment is a line of the manifest."""
    if manifest.pod.name == "Awkward_Pod":
        return
    lines = {line.strip() for line in manifest.text.splitlines()}

    files = [file for seed in manifest.pod.seeds if seed.kind is SeedKind.CONFIG for file in seed.files]

    assert files
    assert not [line for file in files for line in file.content.decode().splitlines() if line.strip() not in lines]


@settings(deadline=None)
@given(strategies.text())
def test_any_text_comes_back(text: str) -> None:
    """Any text of a configuration file or an image's name survives YAML as a text."""
    seed = Seed(volume="v", kind=SeedKind.CONFIG, files=(File(path="f", content=text.encode()),))
    manifest = Manifest(small(seed, image=text))

    assert manifest.of_kind("ConfigMap")["v"]["data"] == {"f": text}
    assert manifest.spec["containers"][0]["image"] == text


def test_words_that_kubernetes_reads_as_numbers_are_quoted(awkward: Manifest) -> None:
    """Plain words that Kubernetes reads as numbers or truth values are quoted.

    Python reads fewer words so.
    """
    assert 'value: "1e3"' in awkward.text
    assert 'value: "y"' in awkward.text


def secrets_of(pod: PodSpec) -> Iterator[bytes]:
    """Every file of a credential seed, every longer line of one, and their base64."""
    for seed in pod.seeds:
        for file in seed.files if seed.kind is SeedKind.CREDENTIAL else ():
            for content in (file.content, *(line for line in file.content.splitlines() if len(line) > 8)):
                yield content
                yield base64.b64encode(content)


def test_without_secrets_there_is_nothing_of_one(manifest: Manifest) -> None:
    """Without --with-secrets, the manifest contains no credential.

    A comment names each Secret and its keys.
    """
    assert not [secret for secret in secrets_of(manifest.pod) if secret in manifest.text.encode()]
    comments = [line for line in manifest.text.splitlines() if line.startswith("# Secret ")]
    secrets = manifest.of_kind("Secret")
    assert len(comments) == len([each for each in manifest.instance.seeds if each.kind.is_private])
    for name, document in secrets.items():
        (comment,) = (line for line in comments if f" {name} " in line)
        assert "--with-secrets" in comment
        assert all(key in comment for key in document["data"])


def test_with_secrets_adds_the_secrets_only(manifest: Manifest) -> None:
    """With secrets there are the Secrets, byte for byte, and the other documents are the same."""
    without = [each for each in parsed(manifest.text) if each["metadata"]["labels"] == dict(manifest.pod.labels)]
    assert without == [each for each in manifest.documents if each["kind"] != "Secret"]
    secrets = manifest.of_kind("Secret").values()
    found = [base64.b64decode(text) for document in secrets for text in document["data"].values()]
    seeds = [seed for seed in manifest.pod.seeds if seed.kind is SeedKind.CREDENTIAL]
    assert found == [file.content for seed in seeds for file in seed.files]
    assert {document["type"] for document in secrets} == {"Opaque"}


def test_the_same_pod_has_the_same_manifest(manifest: Manifest) -> None:
    """Nothing in a manifest comes from chance or time."""
    assert cluster.manifest(replace(manifest.instance), digest_key=KEY) == manifest.text


@pytest.mark.parametrize("changed", range(6))
def test_a_changed_seed_replaces_the_pod(awkward: Manifest, changed: int) -> None:
    """A changed configuration or credential file changes one annotation of the pod.

    Data has no annotation.
    """
    seeds = list(awkward.pod.seeds)
    seeds[changed] = replace(seeds[changed], mode=0o711)
    other = Manifest(replace(awkward.instance, pods=(replace(awkward.pod, seeds=tuple(seeds)),)))

    before, after = (each.template["metadata"]["annotations"] for each in (awkward, other))

    assert len(before) == 5
    assert all(name.startswith("checksum/") for name in before)
    differing = [name for name in before if before[name] != after[name]]
    assert len(differing) == (0 if seeds[changed].kind is SeedKind.DATA else 1)


def test_digests_depend_on_the_key(awkward: Manifest) -> None:
    """Secrets cannot be guessed from the digests without the key of the digests."""
    other = parsed(cluster.manifest(awkward.instance, digest_key=b"other"))[-1]

    digests = other["spec"]["template"]["metadata"]["annotations"]

    assert not set(digests.values()) & set(awkward.template["metadata"]["annotations"].values())


def test_data_has_a_claim_that_containers_share(awkward: Manifest) -> None:
    """A data volume is one claim, which every container that mounts it gets."""
    assert awkward.volume(0, "/m5") == awkward.volume(1, "/data")
    (claim,) = awkward.of_kind("PersistentVolumeClaim").values()
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"]["storage"] == cluster.CLAIM_SIZE


def test_data_that_begins_with_files_is_refused() -> None:
    """A claim starts empty, so a data seed with files is an error."""
    pod = small(Seed(volume="v", kind=SeedKind.DATA, files=(File(path="a", content=b""),)))

    with pytest.raises(ValueError, match="claim starts empty"):
        cluster.manifest(pod, digest_key=KEY)


def test_one_pod_at_a_time(manifest: Manifest) -> None:
    """There is one pod, and an old pod ends before a new one starts.

    Services and Deployment find the pod by its labels.
    """
    labels = dict(manifest.pod.labels)

    assert manifest.deployment["apiVersion"] == "apps/v1"
    assert manifest.deployment["spec"]["replicas"] == 1
    assert manifest.deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert manifest.deployment["spec"]["selector"] == {"matchLabels": labels}
    assert manifest.template["metadata"]["labels"] == labels
    assert all(service["spec"]["selector"] == labels for service in manifest.of_kind("Service").values())
    assert all(document["metadata"]["labels"] == labels for document in manifest.documents)


def test_the_pod_is_confined(manifest: Manifest) -> None:
    """The pod has the default seccomp profile and nothing of the cluster or its host.

    It has no service account and no variables of the cluster's services.
    """
    assert manifest.spec["automountServiceAccountToken"] is False
    assert manifest.spec["enableServiceLinks"] is False
    assert manifest.spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert not re.search(r"hostPort|hostIP|hostPath|hostNetwork|fsGroup|privileged:", manifest.text)


def test_containers_have_the_rights_that_they_have_with_podman(manifest: Manifest) -> None:
    """Capabilities, the read-only root and the gain of privileges are the same for both targets."""
    pods = {each["metadata"]["name"]: each for each in parsed(podman_manifest.manifest(manifest.instance))}
    with_podman = pods[manifest.pod.name]["spec"]
    containers = manifest.spec["containers"]

    for here, there in zip(containers, with_podman["containers"], strict=True):
        assert here["securityContext"].items() >= there["securityContext"].items()
    assert manifest.spec["terminationGracePeriodSeconds"] == with_podman["terminationGracePeriodSeconds"]
    assert [each["image"] for each in containers] == [container.image for container in manifest.pod.containers]
    assert {each["imagePullPolicy"] for each in containers} == {"IfNotPresent"}


def test_non_root_containers_must_stay_non_root(manifest: Manifest) -> None:
    """The cluster refuses to run a container as root, and gets a numeric user, as it requires."""
    for rendered, container in zip(manifest.spec["containers"], manifest.pod.containers, strict=True):
        confined = {name: value for name, value in rendered["securityContext"].items() if name.startswith("runAs")}
        user = {"runAsNonRoot": True, "runAsUser": container.uid, "runAsGroup": container.uid}
        assert confined == (user if container.uid else {})
        assert bool(container.uid) is (container.name in {"jupyterhub", "proxy", "Main_1"})


def test_the_network_policy_admits_published_ports_only(manifest: Manifest) -> None:
    """One policy closes all ports of the pod to others than the instance's pods, except the published ones.

    It has a rule for each container with published ports.
    """
    (policy,) = manifest.of_kind("NetworkPolicy").values()
    published = [container for container in manifest.pod.containers if container.ports]

    assert policy["apiVersion"] == "networking.k8s.io/v1"
    assert policy["spec"]["podSelector"] == {"matchLabels": dict(manifest.pod.labels)}
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert [rule for rule in policy["spec"]["ingress"] if "from" not in rule] == [
        {"ports": [{"protocol": "TCP", "port": port} for port in sorted({each.container for each in container.ports})]}
        for container in published
    ]


@pytest.mark.parametrize(
    ("name", "ports"),
    [
        ("dev_dummyauth", [8000]),
        ("dev_dummyauth_extslurm", [8000, 8081]),
        ("dev_realauth", [8000]),
        ("dev_realauth_zenithclient", []),
        ("prod", [8081]),
    ],
)
def test_an_environment_opens_the_ports_that_it_needs(name: str, ports: list[int], tmp_path: Path) -> None:
    """The policy opens the proxy's port without a tunnel, and the hub's API for external Slurm."""
    (policy,) = Manifest(environment_spec(name, tmp_path)).of_kind("NetworkPolicy").values()

    rules = [rule for rule in policy["spec"]["ingress"] if "from" not in rule]
    assert [port["port"] for rule in rules for port in rule["ports"]] == ports


@pytest.mark.parametrize("name", WITH_SLURM)
def test_slurm_reaches_the_hubs_api_only(name: str, tmp_path: Path) -> None:
    """The pod with users' code may connect to one port of the hub's pod, which may connect to all of its ports."""
    hub, slurm = (Manifest(environment_spec(name, tmp_path), part) for part in ("", "slurm"))
    (to_hub,), (to_slurm,) = (
        [
            rule
            for policy in each.of_kind("NetworkPolicy").values()
            for rule in policy["spec"]["ingress"]
            if "from" in rule
        ]
        for each in (hub, slurm)
    )

    def only(pod: PodSpec) -> list[Document]:
        return [{"podSelector": {"matchLabels": dict(pod.labels)}}]

    assert to_hub == {"from": only(slurm.pod), "ports": [{"protocol": "TCP", "port": 8081}]}
    assert to_slurm == {"from": only(hub.pod)}
    assert hub.pod.labels.items() - slurm.pod.labels.items()
    assert slurm.pod.labels.items() - hub.pod.labels.items()


@pytest.mark.parametrize("name", WITH_SLURM)
def test_pods_find_each_other_by_their_names(name: str, tmp_path: Path) -> None:
    """Each pod's name leads to the pod's own address, ready or not."""
    for part in ("", "slurm"):
        manifest = Manifest(environment_spec(name, tmp_path), part)
        spec = manifest.of_kind("Service")[manifest.pod.name]["spec"]
        assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
        assert spec["selector"] == dict(manifest.pod.labels)


def test_the_init_container_may_only_give_files_away(manifest: Manifest) -> None:
    """The init container is root with two capabilities, and cannot write its sources.

    Changing owners and modes requires the capabilities.
    """
    (init,) = manifest.spec["initContainers"]

    assert init["name"] == "volumes"
    assert init["securityContext"]["runAsUser"] == 0
    assert init["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN", "FOWNER"]}
    assert init["image"] in {container.image for container in manifest.pod.containers}
    writable = [manifest.volumes[mount["name"]] for mount in init["volumeMounts"] if not mount["readOnly"]]
    assert not [volume for volume in writable if "secret" in volume or "configMap" in volume]


def test_a_pod_without_volumes_needs_no_preparation() -> None:
    """Where nothing is mounted there is no init container."""
    assert Manifest(small()).spec["initContainers"] == []


def test_containers_get_copies_of_credentials_in_memory(manifest: Manifest) -> None:
    """Only the init container mounts a Secret, whose files would all belong to root."""
    kinds = {seed.volume: seed.kind for seed in manifest.pod.seeds}

    for number, container in enumerate(manifest.pod.containers):
        credential = [mount.path for mount in container.mounts if kinds[mount.volume] is SeedKind.CREDENTIAL]
        for path in (*credential, *container.tmpfs):
            assert manifest.volume(number, path)["emptyDir"] == {"medium": "Memory"}


def test_mounts_are_read_only_where_the_pod_says_so(manifest: Manifest) -> None:
    """Each container has its volumes at their paths, writable or not as in the pod."""
    for rendered, container in zip(manifest.spec["containers"], manifest.pod.containers, strict=True):
        found = {mount["mountPath"]: mount.get("readOnly", False) for mount in rendered["volumeMounts"]}
        wanted = {mount.path: mount.read_only for mount in container.mounts}
        assert found == wanted | dict.fromkeys(container.tmpfs, False)


def test_probes_use_the_checks_of_the_container(manifest: Manifest) -> None:
    """Readiness is the container's own command, and liveness its published port."""
    for rendered, container in zip(manifest.spec["containers"], manifest.pod.containers, strict=True):
        command = rendered.get("readinessProbe", {}).get("exec", {}).get("command", [])
        assert [expanded(word) for word in command] == list(container.ready)
        for probe in ("startupProbe", "livenessProbe"):
            port = rendered.get(probe, {}).get("tcpSocket", {}).get("port")
            assert port == (container.ports[0].container if container.ports else None)


def test_published_ports_have_a_service(manifest: Manifest) -> None:
    """Each container with published ports has one Service with each of them once.

    Other containers have no Service.
    """
    services = {name: each for name, each in manifest.of_kind("Service").items() if "ports" in each["spec"]}
    published = [container for container in manifest.pod.containers if container.ports]

    found = [[port["targetPort"] for port in each["spec"]["ports"]] for each in services.values()]

    assert found == [sorted({port.container for port in container.ports}) for container in published]
    assert all(service["spec"]["type"] == "ClusterIP" for service in services.values())
    # When SSH to Slurm fails, the pod is not ready, but all notebooks must stay reachable.
    assert all(service["spec"]["publishNotReadyAddresses"] is True for service in services.values())
    if manifest.pod.name.startswith("hubpod-"):
        assert list(services) == [f"{manifest.pod.name}-{container.name}" for container in published]


def test_texts_for_containers_stay_as_they_are(awkward: Manifest) -> None:
    """Arguments and variables survive a cluster's replacement of references.

    None of them has a reference, even if it looks like one.
    """
    rendered, container = awkward.spec["containers"][0], awkward.pod.containers[0]

    assert [expanded(word) for word in rendered["args"]] == list(container.args)
    assert {each["name"]: expanded(each["value"]) for each in rendered["env"]} == dict(container.env)


class Node:
    """A directory that replaces a node's volumes, in which the init container's script runs."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        (self.init,) = manifest.spec["initContainers"]
        self.folder = folder / "volumes"
        self.owners = folder / "owners"
        self.programs = folder / "programs"
        self.programs.mkdir()
        # Who runs the tests may give nothing away, so it is only written down.
        (self.programs / "chown").write_text(f'#!/bin/sh\necho "$2 $1" >>"{self.owners}"\n')
        (self.programs / "chown").chmod(0o755)
        for name, volume in manifest.volumes.items():
            (self.folder / name).mkdir(parents=True)
            for source, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
                if source in volume:
                    self._fill(self.folder / name, volume[source], manifest.of_kind(kind)[volume[source][key]])

    def _fill(self, folder: Path, source: Document, document: Document) -> None:
        for item in source["items"]:
            path = folder / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            encoded = document["data"] if document["kind"] == "Secret" else document.get("binaryData", {})
            if item["key"] in encoded:
                path.write_bytes(base64.b64decode(encoded[item["key"]]))
            else:
                path.write_text(document["data"][item["key"]])
            path.chmod(item["mode"])

    def start(self) -> None:
        """Run the script as the pod's start does."""
        env = {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        ended = run_command([expanded(word) for word in self.init["command"]], env=env, cwd=self.folder)
        assert (ended.code, ended.text) == (0, "")

    def seen(self, *path: str) -> tuple[int, str]:
        """Mode and owner of what the script made."""
        found = self.folder.joinpath(*path)
        given = [line.rsplit(" ", 1) for line in self.owners.read_text().splitlines()]
        return stat.S_IMODE(found.stat().st_mode), [owner for name, owner in given if self.folder / name == found][-1]


@pytest.mark.parametrize("starts", [1, 2])
def test_the_script_restores_owners_and_modes(manifest: Manifest, tmp_path: Path, starts: int) -> None:
    """After each start, copies and claims have content, owners and modes of their seeds."""
    node = Node(manifest, tmp_path)
    for _ in range(starts):
        node.start()

    volumes = {
        mount.volume: manifest.volume(number, mount.path)
        for number, container in enumerate(manifest.pod.containers)
        for mount in container.mounts
    }
    for seed in manifest.pod.seeds:
        volume = volumes[seed.volume]["name"]
        if "configMap" in volumes[seed.volume]:
            continue
        assert node.seen(volume) == (seed.mode, f"{seed.uid}:{seed.gid}")
        for file in seed.files:
            assert (node.folder / volume / file.path).read_bytes() == file.content
            assert node.seen(volume, file.path) == (file.mode, f"{file.uid}:{file.gid}")
            for parent in Path(file.path).parents:
                assert node.seen(volume, str(parent)) == (seed.mode, f"{seed.uid}:{seed.gid}")


def test_temporary_file_systems_have_the_sticky_bit(manifest: Manifest, tmp_path: Path) -> None:
    """In a tmpfs, only the owner of a file may remove it."""
    node = Node(manifest, tmp_path)

    node.start()

    for number, container in enumerate(manifest.pod.containers):
        for path in container.tmpfs:
            assert node.seen(manifest.volume(number, path)["name"]) == (0o1777, "0:0")


def test_data_in_a_claim_stays_as_it_is(awkward: Manifest, tmp_path: Path) -> None:
    """The script changes a claim's root directory, and nothing in it."""
    node = Node(awkward, tmp_path)
    kept = node.folder / awkward.volume(0, "/m5")["name"] / "kept"
    kept.write_text("work of weeks")
    kept.chmod(0o640)

    node.start()

    assert kept.read_text() == "work of weeks"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert "kept" not in node.owners.read_text()
