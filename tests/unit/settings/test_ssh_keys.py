"""Private and public SSH keys, tested with real ones."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hubpod.environments import find_environment
from hubpod.settings import deploy_dir
from hubpod.settings.table import SETTINGS
from support.deploy_dirs import (
    ED25519,
    FILES,
    LOCKED,
    P256,
    PEM,
    PKCS8,
    RSA,
    find_problem_of,
    find_problems,
    private,
    public,
    put,
)

PROD = find_environment("prod")


@pytest.mark.parametrize(
    "content",
    [
        private(P256),
        private(P256, PKCS8),
        private(P256, PEM),
        private(ec.generate_private_key(ec.SECP384R1())),
        private(ec.generate_private_key(ec.SECP521R1())),
        private(RSA),
        private(RSA, PKCS8),
        private(RSA, PEM),
    ],
)
def test_keys_that_ssh_reads_are_accepted(directory: Path, content: bytes) -> None:
    """Ed25519, ECDSA and RSA are accepted in the formats that OpenSSH 9.2 reads."""
    assert not find_problem_of(directory, "ssh_client_key", content)


def test_line_ends_that_ssh_refuses_are_normalized(directory: Path) -> None:
    """A key with Windows line ends, or without the last one, reaches the hub normalized.

    ssh requires Unix line ends, including the last one.
    """
    for content in (FILES["ssh_client_key"].replace(b"\n", b"\r\n"), FILES["ssh_client_key"].rstrip()):
        put(directory, "ssh_client_key", content)
        assert deploy_dir.load(directory, PROD, SETTINGS).key_files.ssh_client_key == FILES["ssh_client_key"]


def sk_key() -> bytes:
    """Return the header of a private key on a hardware token."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    blob = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + (1).to_bytes(4, "big")
    body = base64.b64encode(blob + string(string(b"sk-ssh-ed25519@openssh.com")))
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (private(ED25519, encryption=LOCKED), "is encrypted with a passphrase"),
        (private(P256, PKCS8, LOCKED), "ssh-keygen -p -N '' -f "),
        (private(RSA, PEM, LOCKED), "is encrypted with a passphrase"),
        (public(ED25519), "is a public key"),
        pytest.param(
            RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
            "a public key",
            id="public PKCS#1",
        ),
        (b"ssh-ed25519-cert-v01@openssh.com AAAAIHNz", "is a certificate"),
        (b"-----BEGIN CERTIFICATE-----\n", "is a certificate"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "puttygen"),
        (b"garbage \xff\x00", "is not a private key in OpenSSH or PEM format"),
        (private(ED25519)[:200] + b"\n-----END OPENSSH PRIVATE KEY-----\n", "is a damaged private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n!\n-----END OPENSSH PRIVATE KEY-----\n", "is a damaged private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is a damaged private key"),
        (private(ED25519, PKCS8), "PKCS#8"),
        (private(dsa.generate_private_key(1024), PEM), "the type DSA, which is not accepted"),  # noqa: S505
        (private(rsa.generate_private_key(65537, 1024)), "RSA of 1024 bits"),  # noqa: S505
        (private(ec.generate_private_key(ec.SECP256K1()), PEM), "ECDSA with secp256k1"),
        (sk_key(), "is not accepted: sk-ssh-ed25519 private keys cannot be loaded"),
    ],
)
def test_a_private_key_that_the_hub_cannot_use_is_refused(directory: Path, content: bytes, text: str) -> None:
    """Each kind of unusable key is one problem with its remedy."""
    line = find_problem_of(directory, "ssh_client_key", content)

    assert line.startswith(f"{directory / 'ssh_client_key'}: ")
    assert text in line
    assert "FILE" not in line
    assert not line.endswith("; ")


@pytest.mark.parametrize(
    ("content", "text"),
    [(public(RSA), "does not belong to the private key ssh_client_key"), (b"garbage", "is not a public key")],
)
def test_a_public_key_must_belong_to_its_private_key(directory: Path, content: bytes, text: str) -> None:
    """The .pub file must match the private key that the hub uses.

    The site authorizes the public key on its Slurm host.
    """
    (line,) = find_problems(put(directory, "ssh_client_key.pub", content).parent)

    assert line.startswith(f"{directory / 'ssh_client_key.pub'}: {text}")


def test_an_unusable_private_key_is_one_problem(directory: Path) -> None:
    """The .pub file of an unusable private key adds no second problem."""
    lines = find_problems(put(directory, "ssh_client_key", "garbage").parent)

    assert len(lines) == 1
