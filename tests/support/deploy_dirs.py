"""Deploy directories with real keys, and their problems."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from hubpod.environments import find_environment
from hubpod.settings import key_files

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


def put(directory: Path, name: str, content: bytes | str) -> Path:
    """Write one file of mode 0600."""
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


def find_problems(directory: Path) -> list[str]:
    """Find the problems of the files for production, which uses all of them."""
    return [f"{each.message}; {each.remedy}" for each in key_files.read(directory, PROD, HOST)[1]]


def find_problem_of(directory: Path, name: str, content: bytes | str) -> str:
    """Find the only problem of a file with some content; empty if it has none."""
    lines = find_problems_of(directory, name, content)
    assert len(lines) < 2
    return "".join(lines)


def find_problems_of(directory: Path, name: str, content: bytes | str) -> list[str]:
    """Find all problems of a file with some content, without a .pub file beside it."""
    (directory / f"{name}.pub").unlink(missing_ok=True)
    return find_problems(put(directory, name, content).parent)
