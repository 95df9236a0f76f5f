"""Seeds, the pod of an environment, and its manifest."""

import io
import os
import re
import stat
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.accounts import Account
from hubpod.components import assembly, jupyterhub, proxy, slurm
from hubpod.components.assembly import instance_spec
from hubpod.components.site import Site, files_below
from hubpod.components.slurm import account_numbers
from hubpod.errors import SettingsError
from hubpod.instances import find_instance
from hubpod.labels import LABEL_MANIFEST
from hubpod.manifests import podman as podman_manifest
from hubpod.pod import Container, File, Mount, PodSpec, Seed, SeedKind
from hubpod.pods import InstanceSpec
from hubpod.settings import credentials, deploy_configmap
from hubpod.settings.key_files import KeyFiles

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with the settings and credentials that dev.up would make."""
    instance = find_instance("dev_dummyauth", "default")
    path = tmp_path / "deploy" / deploy_configmap.FILE_NAME
    deploy_configmap.generate(path, instance.environment, assembly.settings())
    return Site(
        instance=instance,
        settings=deploy_configmap.load(path, instance.environment, assembly.settings()),
        credentials=credentials.load_or_create(tmp_path / "credentials", assembly.credentials()),
        images={"jupyterhub": "localhost/hubpod/jupyterhub:dev", "slurm": "localhost/hubpod/slurm:dev"},
        volumes=PROJECT / "volumes",
        port=8000,
        key_files=KeyFiles(),
    )


def members(seed: Seed) -> dict[str, tarfile.TarInfo]:
    """The members of a seed's archive, by path."""
    with tarfile.open(fileobj=io.BytesIO(seed.tar())) as archive:
        return {member.name: member for member in archive.getmembers()}


def test_a_seed_keeps_owner_and_mode() -> None:
    """Files and their parent directories have the owner and mode that their reader requires."""
    file = File(path="env/TOKEN", content=b"secret", mode=0o400, uid=1000, gid=1001)

    found = members(Seed(volume="v", kind=SeedKind.CREDENTIAL, files=(file,), mode=0o500, uid=1000, gid=1000))

    assert (found["env/TOKEN"].mode, found["env/TOKEN"].uid, found["env/TOKEN"].gid) == (0o400, 1000, 1001)
    assert (found["env"].mode, found["env"].uid) == (0o500, 1000)
    assert (found[""].mode, found[""].uid) == (0o500, 1000)  # the root, which tarfile reads without its slash


def test_the_same_seed_has_the_same_digest() -> None:
    """The digest changes with content, mode and key only."""
    seed = Seed(volume="v", kind=SeedKind.CONFIG, files=(File(path="a", content=b"1"),))

    assert seed.digest(b"key") == replace(seed).digest(b"key")
    assert seed.digest(b"key") != seed.digest(b"other key")
    for changed in (File(path="a", content=b"2"), File(path="a", content=b"1", mode=0o600)):
        assert replace(seed, files=(changed,)).digest(b"key") != seed.digest(b"key")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_the_path_of_a_seeds_file_stays_inside_the_volume(path: str) -> None:
    """Paths that would be unpacked elsewhere are refused."""
    with pytest.raises(ValueError, match="must stay inside the volume"):
        File(path=path, content=b"")


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "inside"])
def test_a_link_among_the_content_of_seeds_is_refused(tmp_path: Path, target: str) -> None:
    """A symbolic link could leak any file of the machine, so that the file itself is required."""
    (tmp_path / "seed").mkdir()
    for path in (tmp_path / "outside", tmp_path / "seed" / "inside"):
        path.write_text("content")
    (tmp_path / "seed" / "link").symlink_to(target)

    with pytest.raises(SettingsError, match="seed/link is a symbolic link"):
        files_below(tmp_path / "seed")


def pods(spec: InstanceSpec) -> list[Any]:
    """Return the documents of the manifest for podman, read again."""
    return list(yaml.safe_load_all(podman_manifest.manifest(spec)))


def test_a_mount_without_a_seed_is_refused() -> None:
    """Every mounted volume has a seed."""
    container = Container(name="c", image="i", mounts=(Mount(volume="v", path="/v"),))

    with pytest.raises(ValueError, match="c mounts v"):
        PodSpec(name="p", instance="p", labels={}, containers=(container,), seeds=())


def test_secrets_are_in_seeds_and_nowhere_in_the_manifest(site: Site) -> None:
    """Password, tokens and keys reach containers in volumes, and are not in the manifest."""
    spec = instance_spec(site)

    manifest = podman_manifest.manifest(spec)

    keys = site.credentials
    secrets = [site.settings.dummy_auth_password, keys[proxy.TOKEN].decode(), keys[jupyterhub.CRYPT_KEY].decode()]
    assert not [secret for secret in secrets if secret in manifest]
    assert "BEGIN OPENSSH PRIVATE KEY" not in manifest
    seeded = b"".join(seed.tar() for seed in spec.seeds if seed.kind is SeedKind.CREDENTIAL)
    assert all(secret.encode() in seeded for secret in secrets)


def test_files_that_hold_a_secret_are_readable_by_their_owner_only(site: Site) -> None:
    """Users other than the owner can read public keys only."""
    seeds = [seed for seed in instance_spec(site).seeds if seed.kind is SeedKind.CREDENTIAL]

    readable = {file.path for seed in seeds for file in seed.files if file.mode & 0o077}

    assert readable == {"authorized_keys", "ssh_host_ed25519_key.pub"}


def test_the_manifest_says_whether_it_changed(site: Site) -> None:
    """All pods of equal instances have equal digests as labels, and another port changes the digest."""
    spec = instance_spec(site)
    (label,) = {each["metadata"]["labels"][LABEL_MANIFEST] for each in pods(spec)}

    assert label == podman_manifest.digest(spec) == podman_manifest.digest(instance_spec(site))
    assert label != podman_manifest.digest(instance_spec(replace(site, port=8001)))


def test_every_name_is_valid_kubernetes(site: Site) -> None:
    """Pod, containers and volumes have unique RFC 1123 labels as names.

    This also holds for the longest instance name.
    """
    longest = find_instance("dev_dummyauth", "a" * 20)
    for document in pods(instance_spec(replace(site, instance=longest))):
        volumes = [volume["name"] for volume in document["spec"]["volumes"]]
        names = [document["metadata"]["name"], document["spec"]["hostname"], *volumes]
        names += [container["name"] for container in document["spec"]["containers"]]

        assert not [name for name in names if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)]
        assert len(set(volumes)) == len(volumes)


def test_temporary_volumes_of_two_instances_differ(site: Site) -> None:
    """An emptyDir becomes a named volume on podman 4.3, so that instances must not share a name."""
    other = replace(site, instance=find_instance("dev_dummyauth", "other"))

    first, second = (
        {
            volume["name"]
            for pod in pods(instance_spec(each))
            for volume in pod["spec"]["volumes"]
            if "emptyDir" in volume
        }
        for each in (site, other)
    )
    assert first
    assert not first & second


def test_only_the_proxy_is_published_and_only_on_loopback(site: Site) -> None:
    """The hub's API, Slurm and SSH are not reachable from outside the pod."""
    ports = {
        each["name"]: each.get("ports", []) for pod in pods(instance_spec(site)) for each in pod["spec"]["containers"]
    }

    assert ports.pop("proxy") == [{"containerPort": 8000, "hostIP": "127.0.0.1", "hostPort": 8000, "protocol": "TCP"}]
    assert not any(ports.values())


def test_hub_and_proxy_have_no_capabilities(site: Site) -> None:
    """The container that browsers connect to has no capabilities and cannot gain privileges."""
    contexts = {
        each["name"]: each["securityContext"] for pod in pods(instance_spec(site)) for each in pod["spec"]["containers"]
    }

    for name in ("jupyterhub", "proxy"):
        assert contexts[name]["capabilities"] == {"drop": ["ALL"], "add": []}
        assert not contexts[name]["allowPrivilegeEscalation"]
    assert all(context["readOnlyRootFilesystem"] for context in contexts.values())


def test_the_hub_gets_exactly_the_fragments_of_its_axes(site: Site) -> None:
    """The configuration contains exactly the fragments of the environment's axis values."""
    seed = next(seed for seed in instance_spec(site).seeds if seed.volume.endswith("hub-config"))

    fragments = {file.path for file in seed.files if file.path.startswith("fragments/")}

    assert fragments == {"fragments/login_dummy.py", "fragments/slurm_pod.py"}


def test_an_account_keeps_its_number_when_others_come_and_go() -> None:
    """No account inherits another's home directory when the list of accounts changes."""
    ada, bob, cy = (Account(user=name, project="p") for name in ("ada", "bob", "cy"))
    before = account_numbers((ada, bob, cy))

    after = account_numbers((cy, bob))

    assert after == {cy: before[cy], bob: before[bob]}
    assert len(set(before.values())) == 3


def test_known_hosts_pins_the_host_key(site: Site) -> None:
    """The hub accepts the Slurm host only with the generated host key."""
    line = slurm.known_hosts(site.credentials, "localhost").decode().split()

    assert line == ["localhost", *credentials.ssh_public_line(site.credentials[slurm.HOST_KEY]).decode().split()]


def test_credentials_are_made_once(tmp_path: Path) -> None:
    """A second call reads the files of the first one, and generates missing files again."""
    first = credentials.load_or_create(tmp_path / "keys", assembly.credentials())
    assert credentials.load_or_create(tmp_path / "keys", assembly.credentials()) == first
    (tmp_path / "keys" / "munge_key").unlink()

    again = credentials.load_or_create(tmp_path / "keys", assembly.credentials())

    assert again[slurm.MUNGE_KEY] != first[slurm.MUNGE_KEY]
    assert again[slurm.CLIENT_KEY] == first[slurm.CLIENT_KEY]


def test_credentials_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Only the owner can read the created directories and files, even with umask 000."""
    before = os.umask(0)
    try:
        credentials.load_or_create(tmp_path / "a" / "b" / "keys", assembly.credentials())
    finally:
        os.umask(before)

    modes = {path.relative_to(tmp_path): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o700, 0o600}
