"""Sites of every combination of axis values, with constant key material that is not secret."""

import base64
import hashlib
import itertools
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from hubpod.components import assembly, jupyterhub, proxy, slurm, zenith
from hubpod.components.assembly import image_names
from hubpod.components.site import CREDENTIALS, MountedSource, Site
from hubpod.environments import Environment, Ingress, Login, Slurm, Stage
from hubpod.instances import Instance
from hubpod.pod import File, Port
from hubpod.pods import InstanceSpec
from hubpod.settings import deploy_configmap, zenith_config
from hubpod.settings.credentials import DIGEST_KEY, Credentials, ssh_public_line
from hubpod.settings.deploy_configmap import Settings
from hubpod.settings.key_files import KeyFiles
from hubpod.sources.clones import SOURCES

PROJECT = Path(__file__).parents[2]
PASSWORD = "the password that the tests made up"
BROWSER_PORT = 8000
HUB_CONFIGURATION = "jupyterhub_config.py"
EFFECTIVE_SETTINGS = "effective-settings.json"
HUB_API = Port(container=8081, host=8081, host_ip="192.0.2.7")


def arrangements() -> Iterator[Environment]:
    """Yield every valid combination of axis values, named after them."""
    for values in itertools.product(Stage, Login, Slurm, Ingress):
        stage, login, place, ingress = values
        name = "_".join(value.name.lower() for value in values)
        try:
            yield Environment(name=name, stage=stage, login=login, slurm=place, ingress=ingress)
        except ValueError:
            continue


def site(
    environment: Environment,
    *,
    text: str = "",
    instance: str = "default",
    changes: Mapping[str, str] | None = None,
    hub_config: Mapping[str, bytes] | None = None,
) -> Site:
    """Return the site for the example settings and files of an environment.

    Args:
        environment: The environment.
        text: The deploy ConfigMap; the environment's example when empty.
        instance: The name of its instance.
        changes: Keys of the deploy ConfigMap with other values.
        hub_config: The site's own settings of JupyterHub, by name of the file.
    """
    external, tunnel = not environment.slurm.in_pod, environment.ingress.uses_zenith
    values = settings_of(environment, text or deploy_configmap.example(environment, assembly.settings()), changes or {})
    known_host = b"%s %s\n" % (
        values.ssh_hostname.encode(),
        ssh_public_line(fake_credentials("the site")[slurm.HOST_KEY]),
    )
    return Site(
        instance=Instance(environment=environment, name=instance),
        settings=values,
        credentials=fake_credentials("hubpod"),
        images={name: f"localhost/hubpod/{name}:unbuilt" for name in image_names(environment)}
        | ({zenith.IMAGE: zenith.REGISTRY_IMAGE} if tunnel else {}),
        volumes=PROJECT / "volumes",
        port=0 if tunnel else BROWSER_PORT,
        key_files=KeyFiles(
            ssh_client_key=ssh_key("for the Slurm host") if external else None,
            ssh_known_hosts=known_host if external else None,
            zenith_client_key=ssh_key("for the Zenith server") if tunnel else None,
            zenith_client_config=zenith_config.EXAMPLE.encode() if tunnel else None,
        ),
        hub_config=hub_config or {},
        hub_api=HUB_API if external else None,
        sources=code_of(environment) if environment.stage.uses_clones else {},
    )


def code_of(environment: Environment) -> dict[str, MountedSource]:
    """Return a module for each source that the environment mounts."""
    return {
        source.name: MountedSource(
            directory=source.clone(PROJECT),
            files=(File(path=f"src/{source.name}/__init__.py", content=b"# its code\n"),),
        )
        for source in SOURCES
        if source.image in image_names(environment)
    }


def settings_of(environment: Environment, text: str, changes: Mapping[str, str]) -> Settings:
    """Load the settings of a deploy ConfigMap, with a password that is not a documented example."""
    document = yaml.safe_load(text)
    if "dummyAuthPassword" in document["data"]:
        document["data"]["dummyAuthPassword"] = PASSWORD
    document["data"].update(changes)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / deploy_configmap.FILE_NAME
        path.write_text(yaml.safe_dump(document))
        return deploy_configmap.load(path, environment, assembly.settings())


def fake_credentials(whose: str) -> Credentials:
    """Return reproducible key material."""
    known = {
        slurm.CLIENT_KEY.name: ssh_key(f"client key of {whose}"),
        slurm.HOST_KEY.name: ssh_key(f"host key of {whose}"),
        slurm.MUNGE_KEY.name: _fake_bytes(f"munge key of {whose}") * 4,
        proxy.TOKEN.name: _fake_bytes(f"proxy token of {whose}").hex().encode(),
        jupyterhub.CRYPT_KEY.name: _fake_bytes(f"crypt key of {whose}").hex().encode(),
        DIGEST_KEY.name: _fake_bytes(f"digest key of {whose}"),
    }
    others = {each.name: _fake_bytes(f"{each.name} of {whose}") for each in assembly.credentials()}
    return Credentials(contents=others | known)


def ssh_key(which: str) -> bytes:
    """Return an Ed25519 key in OpenSSH format without the usual random number."""
    seed = _fake_bytes(f"SSH key {which}")
    point = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    public = _string(b"ssh-ed25519") + _string(point)
    private = bytes(8) + public + _string(seed + point) + _string(b"no secret")
    private += bytes(range(1, 1 + -len(private) % 8))
    plain = _string(b"none") * 2 + _string(b"")
    whole = b"openssh-key-v1\0" + plain + struct.pack(">I", 1) + _string(public) + _string(private)
    lines = base64.encodebytes(whole).decode()
    # In two parts, so that scanners do not find a key in this file.
    mark = "OPENSSH " + "PRIVATE KEY"
    return f"-----BEGIN {mark}-----\n{lines}-----END {mark}-----\n".encode()


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _fake_bytes(what: str) -> bytes:
    return hashlib.sha256(f"hubpod's tests, no secret: {what}".encode()).digest()


def variables(pod: InstanceSpec, name: str) -> dict[str, str]:
    """Return a container's variables, including those from its credentials.

    The entry point reads the latter from files.
    """
    (container,) = (each for each in pod.containers if each.name == name)
    mounted = {mount.volume for mount in container.mounts if mount.path == CREDENTIALS}
    files = [file for seed in pod.seeds if seed.volume in mounted for file in seed.files]
    secrets = {file.path.removeprefix("env/"): file.content for file in files if file.path.startswith("env/")}
    return dict(container.env) | {key: value.decode() for key, value in secrets.items()}


def hub_files(pod: InstanceSpec) -> dict[str, bytes]:
    """Return the files of the volume with the hub's configuration, by path."""
    return _files_at(pod, jupyterhub.CONFIG)


def _files_at(pod: InstanceSpec, path: str) -> dict[str, bytes]:
    (hub,) = (each for each in pod.containers if each.name == jupyterhub.NAME)
    (volume,) = (mount.volume for mount in hub.mounts if mount.path == path)
    return {file.path: file.content for seed in pod.seeds if seed.volume == volume for file in seed.files}


def load_hub_configuration(pod: InstanceSpec, directory: Path, *, without: str = "") -> Config:
    """Load the hub's configuration in an instance as JupyterHub does.

    It sees no variables but those of the container.

    Args:
        pod: The instance.
        directory: An empty directory that replaces the volumes' mount points, which are constants of the file.
        without: A variable to leave out.
    """
    site = directory / "hub_config.d"
    settings = {f"{site}/{name}": content for name, content in _files_at(pod, jupyterhub.SETTINGS).items()}
    for path, content in (hub_files(pod) | settings).items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    configuration, effective = directory / HUB_CONFIGURATION, "/tmp/hubpod-effective-settings.json"  # noqa: S108
    constants = (
        ("HERE", jupyterhub.CONFIG, directory),
        ("SITE", jupyterhub.SETTINGS, site),
        ("EFFECTIVE", effective, directory / EFFECTIVE_SETTINGS),
    )
    for name, inside, here in constants:
        text = configuration.read_text()
        constant = f'{name} = Path("{inside}")'
        assert text.count(constant) == 1
        configuration.write_text(text.replace(constant, f"{name} = Path({str(here)!r})"))
    given = {name: value for name, value in variables(pod, jupyterhub.NAME).items() if name != without}
    with patch.dict(os.environ, given, clear=True):
        return PyFileConfigLoader(HUB_CONFIGURATION, str(directory)).load_config()
