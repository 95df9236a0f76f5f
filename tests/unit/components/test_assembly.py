"""Invariants of every combination of axis values, whether an environment has it or not."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.components import jupyterhub, proxy, slurm, zenith
from hubpod.components.assembly import components, image_names, instance_spec
from hubpod.components.site import Site
from hubpod.environments import (
    ENVIRONMENTS,
    AxisValue,
    Environment,
    Ingress,
    Login,
    Slurm,
    Stage,
    find_environment,
)
from hubpod.manifests import cluster
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import Container, SeedKind
from hubpod.pods import InstanceSpec
from hubpod.request import Target
from hubpod.settings.credentials import ssh_public_line
from hubpod.settings.table import SETTINGS
from support.sites import (
    BROWSER_PORT,
    HUB_API,
    PASSWORD,
    PROJECT,
    arrangements,
    hub_files,
    load_hub_configuration,
    site,
    variables,
)

Document = dict[str, Any]

ARRANGEMENTS = tuple(arrangements())
LONGEST_INSTANCE = "a" * 20
OUR_IMAGES = "localhost/hubpod/"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared with
DUMMY_PASSWORD = "DEPLOY_CONFIG_DUMMYAUTH_PASSWORD"

FRAGMENTS: dict[AxisValue, str] = {
    Login.DUMMY: "login_dummy.py",
    Login.JWT: "login_jwt.py",
    Slurm.POD: "slurm_pod.py",
    Slurm.EXTERNAL: "slurm_external.py",
    Ingress.ZENITH: "ingress_zenith.py",
}
CAPABILITIES = {
    slurm.NAME: {"CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT"},
    zenith.NAME: {"KILL", "SETGID", "SETUID"},
}
UNREAD: dict[str, str] = {}
"""Variables that nothing reads, each with its reason."""

PODMAN_KEYS = {
    "apiVersion": str,
    "kind": str,
    "metadata.name": str,
    "metadata.labels.*": str,
    "spec.restartPolicy": str,
    "spec.terminationGracePeriodSeconds": int,
    "spec.hostname": str,
    "spec.hostAliases.ip": str,
    "spec.hostAliases.hostnames": str,
    "spec.containers.name": str,
    "spec.containers.image": str,
    "spec.containers.imagePullPolicy": str,
    "spec.containers.args": str,
    "spec.containers.env.name": str,
    "spec.containers.env.value": str,
    "spec.containers.securityContext.allowPrivilegeEscalation": bool,
    "spec.containers.securityContext.readOnlyRootFilesystem": bool,
    "spec.containers.securityContext.capabilities.drop": str,
    "spec.containers.securityContext.capabilities.add": str,
    "spec.containers.volumeMounts.name": str,
    "spec.containers.volumeMounts.mountPath": str,
    "spec.containers.volumeMounts.readOnly": bool,
    "spec.containers.ports.containerPort": int,
    "spec.containers.ports.hostIP": str,
    "spec.containers.ports.hostPort": int,
    "spec.containers.ports.protocol": str,
    "spec.volumes.name": str,
    "spec.volumes.persistentVolumeClaim.claimName": str,
    "spec.volumes.emptyDir.medium": str,
}
"""All keys and types that podman 4.3 accepts in a manifest, although it ignores the medium of an emptyDir."""

NO_TEXT_TO_GO = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[-+]?0[xb][0-9a-fA-F]+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
)
"""Unquoted text that go-yaml, the parser of podman and Kubernetes, reads as a number or a date."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A combination of axis values, and its rendered manifests."""

    environment: Environment
    site: Site
    pod: InstanceSpec

    def container(self, name: str) -> Container:
        """The container of that name."""
        return next(each for each in self.pod.containers if each.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The containers' names."""
        return tuple(each.name for each in self.pod.containers)

    @cached_property
    def for_podman(self) -> list[Document]:
        """The pods of the manifest for podman, read again."""
        return parsed(podman_manifest.manifest(self.pod))

    @cached_property
    def for_a_cluster(self) -> list[Document]:
        """The documents for a cluster, with Secrets, read again."""
        return parsed(cluster.manifest(self.pod, digest_key=b"key", secrets=True))

    @property
    def in_a_cluster(self) -> list[Document]:
        """The templates of the pods for a cluster."""
        return [each["spec"]["template"] for each in self.for_a_cluster if each["kind"] == "Deployment"]


def parsed(text: str) -> list[Document]:
    """The documents of a manifest."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def made(environment: Environment, *, instance: str = LONGEST_INSTANCE, **changes: str) -> Made:
    """An arrangement's pod."""
    its_site = site(environment, instance=instance, changes=changes)
    return Made(environment=environment, site=its_site, pod=instance_spec(its_site))


@pytest.fixture(params=ARRANGEMENTS, ids=[each.name for each in ARRANGEMENTS], scope="module")
def arrangement(request: pytest.FixtureRequest) -> Made:
    """Each combination in turn, with a password in its settings even if no form uses one."""
    return made(request.param, dummyAuthPassword=PASSWORD)


def test_all_arrangements_are_walked() -> None:
    """Only the dummy login in production is refused, and every environment is a combination."""
    assert len(ARRANGEMENTS) == len({each.axes for each in ARRANGEMENTS}) == 12
    assert {each.axes for each in ENVIRONMENTS} < {each.axes for each in ARRANGEMENTS}


# Volumes


def test_every_volume_is_seeded_and_every_seed_is_mounted(arrangement: Made) -> None:
    """Each volume has one seed and one container, and no path or file is repeated."""
    mounted = [mount.volume for each in arrangement.pod.containers for mount in each.mounts]
    seeded = [seed.volume for seed in arrangement.pod.seeds]

    assert sorted(mounted) == sorted(seeded)
    assert len(set(seeded)) == len(seeded)
    for container in arrangement.pod.containers:
        paths = [*(mount.path for mount in container.mounts), *container.tmpfs]
        assert len(set(paths)) == len(paths)
    for seed in arrangement.pod.seeds:
        assert len({file.path for file in seed.files}) == len(seed.files)


def test_only_data_can_be_written(arrangement: Made) -> None:
    """Containers mount configuration and credentials read-only."""
    kinds = {seed.volume: seed.kind for seed in arrangement.pod.seeds}

    for container in arrangement.pod.containers:
        for mount in container.mounts:
            assert mount.read_only is (kinds[mount.volume] is not SeedKind.DATA)


def test_the_hub_has_the_fragments_of_its_axes(arrangement: Made) -> None:
    """The configuration volume has the core and one fragment for each axis value that has one."""
    core = {path.name for path in (PROJECT / "volumes" / "jupyterhub" / "core").iterdir()}
    guard = {f"hub_guard/{path.name}" for path in (PROJECT / jupyterhub.GUARD).glob("*.py")}
    fragments = {f"fragments/{FRAGMENTS[value]}" for value in arrangement.environment.axes if value in FRAGMENTS}

    assert set(hub_files(arrangement.pod)) == core | guard | fragments | {"ssh_config", "needs.json"}


def test_every_fragment_belongs_to_an_axis_value() -> None:
    """Each file below axes/ belongs to an axis value."""
    assert {path.name for path in (PROJECT / "volumes" / "jupyterhub" / "axes").glob("*")} == set(FRAGMENTS.values())


# Variables


def reads_of_python(source: str) -> Iterator[tuple[str, bool]]:
    """Yield the environment variables that a Python file reads.

    Each has a flag: whether the file fails without the variable.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                yield name, True
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="get") | ast.Attribute(attr="getenv"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name, False


def reads_of_shell(source: str) -> Iterator[tuple[str, bool]]:
    """Return the capital variables that a shell script reads, and whether it fails without each."""
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    for match in re.finditer(r"\$\{([A-Z][A-Z0-9_]*)(:?[-+=])?|\$([A-Z][A-Z0-9_]*)", code):
        yield match[1] or match[3], not match[2]


def reads_of_program(path: Path) -> Iterator[tuple[str, bool]]:
    """Return the variables that an executable file reads, and whether it fails without each."""
    source = path.read_text()
    yield from reads_of_python(source) if "python" in source.partition("\n")[0] else reads_of_shell(source)


@cache
def programs(image: str) -> dict[str, Path]:
    """Return hubpod's programs in an image by their name there.

    The Containerfile copies them.
    """
    if not image.startswith(OUR_IMAGES):
        return {}
    folder = PROJECT / "containers" / image.removeprefix(OUR_IMAGES).partition(":")[0]
    found: dict[str, Path] = {}
    copies = re.findall(r"^COPY --chmod=0755 (\S+) (\S+)$", (folder / "Containerfile").read_text(), re.MULTILINE)
    for source, target in copies:
        if target.endswith("/"):
            below = [path for path in (folder / source).rglob("*") if path.is_file()]
            found |= {str(path.relative_to(folder / source)): path for path in below}
        else:
            found[Path(target).name] = folder / source
    return found


@cache
def reads_of_programs(image: str, without: frozenset[str]) -> tuple[tuple[str, bool], ...]:
    """Return the variables that an image's programs read, except those of other containers."""
    return tuple(
        read for name, path in programs(image).items() if name not in without for read in reads_of_program(path)
    )


def reads(of: Made, container: Container) -> dict[str, bool]:
    """Return hubpod's variables that a container reads, and whether it fails without each."""
    others = {each.ready[0] for each in of.pod.containers if each.ready and each.ready != container.ready}
    found = list(reads_of_programs(container.image, frozenset(others)))
    if container.name == jupyterhub.NAME:
        for path in (PROJECT / "containers" / "jupyterhub" / "hubpod_checks").glob("*.py"):
            found += reads_of_python(path.read_text())
        for path_in_volume, content in hub_files(of.pod).items():
            if path_in_volume.endswith(".py"):
                found += reads_of_python(content.decode())
    ours = [(name, needed) for name, needed in found if is_ours(name)]
    return {name: any(needed for other, needed in ours if other == name) for name, _ in ours}


def is_ours(variable: str) -> bool:
    """Whether hubpod defines the meaning of a variable."""
    return variable.startswith(("DEPLOY_CONFIG_", "HUBPOD_"))


def test_the_readers_are_found(arrangement: Made) -> None:
    """The tests find scripts and configuration, so that they do not pass without any."""
    hub, front = (reads(arrangement, arrangement.container(name)) for name in (jupyterhub.NAME, proxy.NAME))

    assert hub["DEPLOY_CONFIG_BASE_URL"] is True
    assert hub["DEPLOY_CONFIG_DEV_USERS"] is (arrangement.environment.login is Login.DUMMY)
    assert front == {"HUBPOD_LOGIN_PAGE": True}


def test_every_variable_that_is_read_is_given(arrangement: Made) -> None:
    """A container has each variable that it requires, and each is in the settings table."""
    rows = {setting.variable for setting in SETTINGS}

    for container in arrangement.pod.containers:
        found = reads(arrangement, container)
        assert {name for name in found if name.startswith("DEPLOY_CONFIG_")} <= rows
        needed = {name for name, is_needed in found.items() if is_needed}
        assert needed <= set(variables(arrangement.pod, container.name)), container.name


def test_no_variable_is_given_that_nothing_reads(arrangement: Made) -> None:
    """A container has no setting that nothing in it reads, except the listed one."""
    for container in arrangement.pod.containers:
        given = {name for name in variables(arrangement.pod, container.name) if is_ours(name)}
        assert given - set(reads(arrangement, container)) <= set(UNREAD), container.name


def test_every_setting_is_read_somewhere() -> None:
    """Some combination reads each row of the settings table, or the row is listed with a reason."""
    everything = [made(environment) for environment in ARRANGEMENTS]
    read = {name for each in everything for container in each.pod.containers for name in reads(each, container)}

    assert {setting.variable for setting in SETTINGS} - read == set(UNREAD)


def test_the_unread_hostname_is_in_the_ssh_configuration(arrangement: Made) -> None:
    """The one setting that is not read as a variable is in the hub's ssh configuration."""
    lines = [line.split() for line in hub_files(arrangement.pod)["ssh_config"].decode().splitlines()]

    assert ["HostName", slurm.ssh_address(arrangement.site).host] in lines


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("SSH.example.org", "ssh.example.org", "22"),
        ("ssh.example.org:2222", "ssh.example.org", "2222"),
        ("[2001:db8::1]:2222", "2001:db8::1", "2222"),
    ],
)
def test_host_and_port_of_the_slurm_host_reach_the_ssh_configuration(written: str, host: str, port: str) -> None:
    """Both aliases of the Slurm host have the host without brackets, and its port."""
    pod = instance_spec(
        site(next(each for each in ENVIRONMENTS if each.name == "prod"), changes={"sshHostname": written})
    )

    lines = [line.split() for line in hub_files(pod)["ssh_config"].decode().splitlines()]

    assert [line for line in lines if line[:1] in (["HostName"], ["Port"])] == [["HostName", host], ["Port", port]] * 2


def test_no_secret_is_a_variable_of_the_manifest(arrangement: Made) -> None:
    """Secret settings, tokens and the key of auth_state reach the hub in credential files only."""
    secrets = {"CONFIGPROXY_AUTH_TOKEN", "JUPYTERHUB_CRYPT_KEY"} | {each.variable for each in SETTINGS if each.secret}
    given = variables(arrangement.pod, jupyterhub.NAME)

    assert {"CONFIGPROXY_AUTH_TOKEN", "JUPYTERHUB_CRYPT_KEY"} <= set(given)
    assert not [name for each in arrangement.pod.containers for name in each.env if name in secrets]
    assert given["CONFIGPROXY_AUTH_TOKEN"] == variables(arrangement.pod, proxy.NAME)["CONFIGPROXY_AUTH_TOKEN"]


# Login


def test_the_dummy_login_is_where_the_axis_says_so_and_never_in_production(arrangement: Made) -> None:
    """No pod with the JWT login contains the dummy login's fragment or password."""
    dummy = arrangement.environment.login is Login.DUMMY
    fragments = set(hub_files(arrangement.pod))
    contents = [file.content for seed in arrangement.pod.seeds for file in seed.files]

    assert not (dummy and arrangement.environment.stage is Stage.PROD)
    assert ("fragments/login_dummy.py" in fragments) is dummy
    assert ("fragments/login_jwt.py" in fragments) is not dummy
    assert (DUMMY_PASSWORD in variables(arrangement.pod, jupyterhub.NAME)) is dummy
    assert any(PASSWORD.encode() in content for content in contents) is dummy
    assert any(b"SharedPasswordAuthenticator" in content for content in contents) is dummy


# Ways in


def test_there_is_exactly_one_way_in_for_browsers(arrangement: Made) -> None:
    """Either the host's loopback address publishes the proxy's port, or a tunnel leads to it."""
    published = [port for each in arrangement.pod.containers for port in each.ports if port.container == proxy.PORT]
    tunnels = [each for each in arrangement.pod.containers if each.name == zenith.NAME]

    assert len(published) + len(tunnels) == 1
    match arrangement.environment.ingress:
        case Ingress.HOST_PORT:
            assert [(port.host, port.host_ip) for port in published] == [(BROWSER_PORT, "127.0.0.1")]
        case Ingress.ZENITH:
            assert tunnels[0].env["ZENITH_CLIENT__FORWARD_TO_HOST"] == "127.0.0.1"
            assert tunnels[0].env["ZENITH_CLIENT__FORWARD_TO_PORT"] == str(proxy.PORT)


def test_nothing_else_is_published_but_the_hubs_api_for_an_external_slurm(arrangement: Made) -> None:
    """Only the hub's API is published besides the proxy, and only for external Slurm."""
    ports = {
        (each.name, port)
        for each in arrangement.pod.containers
        for port in each.ports
        if (each.name, port.container) != (proxy.NAME, proxy.PORT)
    }

    assert ports == ({(jupyterhub.NAME, HUB_API)} if arrangement.environment.slurm is Slurm.EXTERNAL else set())


def test_internal_ports_listen_on_loopback_only(arrangement: Made, tmp_path: Path) -> None:
    """Ports that only the pod uses listen on loopback.

    They are the proxy's port behind a tunnel, and always the proxy's API. The hub's API has clients outside its pod.
    """
    words = arrangement.container(proxy.NAME).args
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    tunnel = arrangement.environment.ingress is Ingress.ZENITH
    hub = load_hub_configuration(arrangement.pod, tmp_path).JupyterHub

    assert options["ip"] == ("127.0.0.1" if tunnel else EVERYWHERE)
    assert options["port"] == str(proxy.PORT)
    assert options["api-ip"] == "127.0.0.1"
    assert hub.hub_bind_url == f"http://{EVERYWHERE}:{jupyterhub.API_PORT}"
    assert options["default-target"] == f"http://127.0.0.1:{jupyterhub.API_PORT}"


# Containers


def test_the_containers_are_those_of_the_axes(arrangement: Made) -> None:
    """Each pod has proxy and hub, and Slurm and the tunnel exactly if the axes say so."""
    in_pod = arrangement.environment.slurm is Slurm.POD
    tunnel = arrangement.environment.ingress is Ingress.ZENITH

    assert sorted(arrangement.names) == sorted(
        [proxy.NAME, jupyterhub.NAME, *([slurm.NAME] if in_pod else []), *([zenith.NAME] if tunnel else [])]
    )
    assert arrangement.names == tuple(each.name for each in components(arrangement.environment))


def test_code_of_users_shares_no_network_with_hub_and_proxy(arrangement: Made) -> None:
    """Slurm runs in a pod of its own, in which no other component runs."""
    pods = {pod.name: {each.name for each in pod.containers} for pod in arrangement.pod.pods}
    others = set(arrangement.names) - {slurm.NAME}

    assert pods.pop(arrangement.site.instance.resource) == others
    expected = {f"{arrangement.site.instance.resource}-slurm": {slurm.NAME}}
    assert pods == (expected if arrangement.environment.slurm is Slurm.POD else {})


def test_the_pod_uses_exactly_the_built_images(arrangement: Made) -> None:
    """Every built image is used, and every used image is built or the Zenith client's."""
    used = {each.image for each in arrangement.pod.containers}
    built = {f"{OUR_IMAGES}{name}:unbuilt" for name in image_names(arrangement.environment)}

    assert used - built == ({zenith.REGISTRY_IMAGE} if zenith.NAME in arrangement.names else set())
    assert built <= used


def test_the_hub_uses_the_key_that_the_slurm_host_knows(arrangement: Made) -> None:
    """External Slurm uses the site's key and known hosts, and Slurm of the instance the generated pair."""
    key_files, own = arrangement.site.key_files, arrangement.site.credentials
    in_pod = arrangement.environment.slurm is Slurm.POD
    files = {file.path: file.content for seed in arrangement.pod.seeds for file in seed.files}

    assert files["ssh_client_key"] == (own[slurm.CLIENT_KEY] if in_pod else key_files.ssh_client_key)
    assert files["ssh_known_hosts"] == (
        slurm.known_hosts(own, f"{arrangement.site.instance.resource}-slurm") if in_pod else key_files.ssh_known_hosts
    )
    assert (ssh_public_line(own[slurm.CLIENT_KEY]) in files.get("authorized_keys", b"")) is in_pod


def test_containers_have_no_more_rights_than_they_need(arrangement: Made) -> None:
    """Containers have a read-only root and the listed capabilities only.

    Only Slurm may gain privileges.
    """
    for document in (*arrangement.for_podman, *arrangement.in_a_cluster):
        for container in document["spec"]["containers"]:
            context, name = container["securityContext"], container["name"]
            assert context["capabilities"]["drop"] == ["ALL"], name
            assert set(context["capabilities"]["add"]) == CAPABILITIES.get(name, set()), name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is (name == slurm.NAME), name


def test_containers_report_their_readiness(arrangement: Made) -> None:
    """Each has either a readiness command of its image or a log line, and a description."""
    for container in arrangement.pod.containers:
        assert bool(container.ready) is not bool(container.ready_line), container.name
        assert container.waits_for
        if container.ready:
            assert container.ready[0] in programs(container.image)


# Manifests


def leaves(document: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a document with its keys, or the list's keys for an element of a list."""
    match document:
        case dict():
            for key, value in document.items():
                name = "*" if path == "metadata.labels" else str(key)
                yield from leaves(value, f"{path}.{name}" if path else name)
        case list():
            for value in document:
                yield from leaves(value, path)
        case _:
            yield path, document


def test_the_podman_target_says_nothing_that_podman_does_not_know(arrangement: Made) -> None:
    """The manifest for podman has only the listed keys, with values of their types.

    It has no subPath, Secret or probe.
    """
    wrong = [
        (path, value)
        for document in arrangement.for_podman
        for path, value in leaves(document)
        if not is_known(path, value)
    ]

    assert not wrong


def is_known(path: str, value: object) -> bool:
    """Whether podman accepts a value at a place, where booleans are not numbers."""
    return type(value) is PODMAN_KEYS.get(path)


def test_every_name_of_the_podman_target_is_valid(arrangement: Made) -> None:
    """Pod, host, containers and volumes have unique RFC 1123 labels as names.

    Mounts refer to them.
    """
    all_claims = []
    for document in arrangement.for_podman:
        spec = document["spec"]
        volumes, containers = ([each["name"] for each in spec[key]] for key in ("volumes", "containers"))
        claims = [each["persistentVolumeClaim"]["claimName"] for each in spec["volumes"] if "emptyDir" not in each]
        names = [document["metadata"]["name"], spec["hostname"], *volumes, *containers]

        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in names)
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", claim) for claim in claims)
        assert len(set(volumes)) == len(volumes)
        assert len(set(containers)) == len(containers)
        mounted = [mount["name"] for each in spec["containers"] for mount in each["volumeMounts"]]
        assert sorted(mounted) == sorted(volumes)
        all_claims += claims
    assert sorted(all_claims) == sorted(seed.volume for seed in arrangement.pod.seeds)


def test_the_cluster_target_has_a_document_for_everything(arrangement: Made) -> None:
    """Each pod has a Deployment and a NetworkPolicy, each seed a document, and each published container a Service.

    Where there are several pods, each has another Service.
    """
    documents = arrangement.for_a_cluster
    kinds = [document["kind"] for document in documents]
    stored = {SeedKind.CONFIG: "ConfigMap", SeedKind.DATA: "PersistentVolumeClaim"}
    stored |= {SeedKind.SETTINGS: "Secret", SeedKind.CREDENTIAL: "Secret"}
    services = ["Service" for each in arrangement.pod.containers if each.ports]

    pods = len(arrangement.pod.pods)
    each_pod = ["Deployment", "NetworkPolicy", *(["Service"] if pods > 1 else [])]
    ours = [*pods * each_pod, *services, *(stored[seed.kind] for seed in arrangement.pod.seeds)]
    assert sorted(kinds) == sorted(ours)
    names = [each["name"] for template in arrangement.in_a_cluster for each in template["spec"]["containers"]]
    assert names == list(arrangement.names)


def unquoted(manifest: str) -> list[str]:
    """Return the unquoted texts of a manifest that podman or a cluster would misread."""
    tokens = yaml.scan(manifest, Loader=yaml.SafeLoader)
    plain = [token.value for token in tokens if isinstance(token, yaml.ScalarToken) and token.plain]
    return [text for text in plain if NO_TEXT_TO_GO.fullmatch(text.replace("_", "")) and yaml.safe_load(text) == text]


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("text", ["12e4", "2026-1-5"])
def test_texts_that_look_like_something_else_are_quoted(target: Target, text: str) -> None:
    """Unquoted, podman would read the instance 12e4 as 120000, which `down` would not find."""
    environment = next(each for each in ARRANGEMENTS if each.login is Login.JWT)
    pod = made(environment, instance=text, jwtAudience=text).pod

    manifest = podman_manifest.manifest(pod) if target is Target.PODMAN else cluster.manifest(pod, digest_key=b"key")

    assert manifest.count(text) > 2
    assert not unquoted(manifest)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://hub.localhost", f"http://hub.localhost:{BROWSER_PORT}"),
        ("http://hub.localhost:1234", "http://hub.localhost:1234"),
        ("https://hub.example.org", "https://hub.example.org"),
        ("", ""),
    ],
)
def test_subdomains_are_known_to_hub_and_proxy(written: str, expected: str, tmp_path: Path) -> None:
    """With `subdomainHost` the proxy routes by host; a host of this machine gets the published port."""
    pod = instance_spec(site(find_environment("dev_dummyauth"), changes={"subdomainHost": written}))
    containers = {each.name: each for each in pod.containers}

    assert ("--host-routing" in containers[proxy.NAME].args) is bool(written)
    assert containers[proxy.NAME].env.get("HUBPOD_SUBDOMAIN_HOST", "") == expected
    assert containers[jupyterhub.NAME].env["DEPLOY_CONFIG_SUBDOMAIN_HOST"] == expected
    assert load_hub_configuration(pod, tmp_path).JupyterHub.subdomain_host == expected
