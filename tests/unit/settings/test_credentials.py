"""The key material that hubpod generates for an instance."""

from pathlib import Path

import pytest

from hubpod.components import slurm
from hubpod.settings import credentials
from support.deploy_dirs import ED25519, P256, RSA, Key, private, public


@pytest.mark.parametrize("key", [ED25519, P256, RSA], ids=["Ed25519", "ECDSA", "RSA"])
def test_an_instances_own_key_may_be_of_each_accepted_type(tmp_path: Path, key: Key) -> None:
    """An existing key among an instance's credentials is used, and its public key derived."""
    tmp_path.joinpath("ssh_client_key").write_bytes(private(key))

    made = credentials.load_or_create(tmp_path, (slurm.CLIENT_KEY, slurm.HOST_KEY))

    assert credentials.ssh_public_line(made[slurm.CLIENT_KEY]) == public(key)
