"""Secrets of an instance that can occur in its logs."""

from pathlib import Path

import pytest

from hubpod.deployment.log_secrets import find_stored_secrets
from hubpod.environments import find_environment
from hubpod.instances import Instance
from hubpod.settings import FILE_NAME, zenith_config
from hubpod.workspace import InstanceFiles

SETTINGS = "kind: ConfigMap\ndata:\n  devUsers: a.b\n  dummyAuthPassword: long enough\n"


@pytest.mark.parametrize("environment", ["dev_dummyauth", "dev_realauth_zenithclient"])
def test_credentials_and_secret_settings_are_found(tmp_path: Path, environment: str) -> None:
    """The generated credentials, the password and the secret of the tunnel are found, and no other setting."""
    files = InstanceFiles(directory=tmp_path / "instance")
    files.credentials.mkdir(parents=True)
    (files.credentials / "proxy_token").write_text("0123456789abcdef\n")
    (tmp_path / FILE_NAME).write_text(SETTINGS)
    (tmp_path / zenith_config.FILE_NAME).write_text("authOidcClientId: jupyter\nauthOidcClientSecret: of the tunnel\n")
    instance = Instance(environment=find_environment(environment), name="default")

    found = find_stored_secrets(instance, files, tmp_path)

    assert {"0123456789abcdef", "of the tunnel"} <= found
    assert ("long enough" in found) is (environment == "dev_dummyauth")
    assert not {"a.b", "jupyter"} & found


def test_missing_files_have_no_secrets(tmp_path: Path) -> None:
    """An instance without files on this machine has no known secrets."""
    instance = Instance(environment=find_environment("dev_dummyauth"), name="default")

    assert not find_stored_secrets(instance, InstanceFiles(directory=tmp_path), tmp_path / "nowhere")
