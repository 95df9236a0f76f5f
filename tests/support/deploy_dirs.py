"""Deploy directories with real keys, and their problems."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from hubpod.environments import find_environment
from hubpod.settings import key_files
from hubpod.settings.ssh_address import SshAddress

PROD = find_environment("prod")
HOST = "ssh.example.org"
ISSUER = "https://keycloak.example/realms/name"
SECRET = "hunter2-of-the-client"
OPENSSH = serialization.PrivateFormat.OpenSSH
PKCS8 = serialization.PrivateFormat.PKCS8
PEM = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"passphrase")

Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # test ids have it, so that it must not change
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def private(
    key: Key,
    form: serialization.PrivateFormat = OPENSSH,
    encryption: serialization.KeySerializationEncryption = PLAIN,
) -> bytes:
    """Serialize a private key."""
    return key.private_bytes(serialization.Encoding.PEM, form, encryption)


def public(key: Key) -> bytes:
    """Serialize the public key of a private key, as type and base64."""
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


PINNED = public(ED25519).decode()
FILES = {
    "ssh_client_key": private(ED25519),
    "ssh_client_key.pub": public(ED25519) + b" hub@site\n",
    "ssh_known_hosts": f"{HOST} {PINNED} root@{HOST}\n".encode(),
    "ssh_zenith_client_key": private(P256),
    "ssh_zenith_client_key.pub": public(P256),
    "zenith_client_config.yaml": (
        "# Zenith SSHD server address\nserverAddress: ssh.example\n\n"
        f"authOidcIssuer: {ISSUER}\nauthOidcClientId: example-client-name\n"
        f"authOidcClientSecret: {SECRET}\n\ndebug: true\n"
    ).encode(),
}

ZENITH = FILES["zenith_client_config.yaml"].decode()


COMMON = {
    "logLevel": "DEBUG",
    "baseUrl": "/jupyter",
    "sshHostname": "localhost",
    "slurmSpawnerWrappersBin": "/opt/jupyter/slurmspawner_wrappers/bin",
    "condaPrefixDir": "/opt/jupyter/miniforge3",
    "jupyterDataDir": "/opt/jupyter/jupyter_data",
    "hubConnectUrl": "http://127.0.0.1:8081",
    "oidcServer": "https://keycloak.example/realms/site",
    "bricsPlatform": "portal.dummy.platform.shared",
    "jwtAudience": "dummy-audience",
}
USERS = {"devUsers": "testuser.project1 testuser.project2 otheruser.project1"}
PASSWORD = {"devAdmins": "test1-admin test2-admin", "dummyAuthPassword": "a-password-of-this-site"}
SITE = {
    "sshHostname": HOST,
    "slurmSpawnerWrappersBin": "/opt/site/slurmspawner_wrappers/bin",
    "condaPrefixDir": "/opt/site/conda",
    "jupyterDataDir": "/opt/site/jupyter/data",
    "hubConnectUrl": "http://hub.example:8081",
}
ORIGINAL: dict[str, dict[str, str]] = {
    "dev_dummyauth": {**COMMON, **USERS, **PASSWORD},
    "dev_dummyauth_extslurm": {**COMMON, **USERS, **PASSWORD, **SITE},
    "dev_realauth": {**COMMON, **USERS},
    "dev_realauth_zenithclient": {**COMMON, **USERS},
    "prod": {**COMMON, **SITE},
}
"""The data of each environment's deploy ConfigMap at a site that has used brics_jupyterhub_envs.

Such a file sets fixed values, too, and keys that the environment does not use.
"""


def write_original(directory: Path, environment: str, changes: Mapping[str, str]) -> Path:
    """Write the deploy directory of a site that has used brics_jupyterhub_envs.

    Args:
        directory: The directory.
        environment: Name of the environment.
        changes: Keys with values in another spelling, written as they are into the YAML.
    """
    data = {key: f'"{value}"' for key, value in ORIGINAL[environment].items()} | dict(changes)
    lines = "".join(f"  # Change this to deployment specific value\n  {key}: {value}\n" for key, value in data.items())
    head = "apiVersion: core/v1\nkind: ConfigMap\nmetadata:\n  name: deploy-config\ndata:\n"
    put(directory, "deploy-configmap.yaml", f"{head}{lines}\nimmutable: true")
    for name, content in FILES.items():
        put(directory, name, content)
    put(directory, "combined.yaml", "apiVersion: core/v1\nkind: Secret\n")  # which its scripts write there
    return directory


def put(directory: Path, name: str, content: bytes | str) -> Path:
    """Write one file of mode 0600."""
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


def find_problems(directory: Path) -> list[str]:
    """Find the problems of the files for production, which uses all of them."""
    return [f"{each.message}; {each.remedy}" for each in key_files.read(directory, PROD, SshAddress(host=HOST))[1]]


def find_problem_of(directory: Path, name: str, content: bytes | str) -> str:
    """Find the only problem of a file with some content, or an empty text."""
    lines = find_problems_of(directory, name, content)
    assert len(lines) < 2
    return "".join(lines)


def find_problems_of(directory: Path, name: str, content: bytes | str) -> list[str]:
    """Find all problems of a file with some content, without a .pub file beside it."""
    (directory / f"{name}.pub").unlink(missing_ok=True)
    return find_problems(put(directory, name, content).parent)
