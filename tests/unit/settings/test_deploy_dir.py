"""A deploy directory as a whole: its files, its problems and its warnings."""

from pathlib import Path

import pytest

from hubpod.environments import find_environment
from hubpod.errors import SettingsError
from hubpod.settings import deploy_configmap, deploy_dir, zenith_config
from hubpod.settings.table import SETTINGS
from support.deploy_dirs import FILES, HOST, ISSUER, ZENITH, put

PROD = find_environment("prod")

DUMMY = find_environment("dev_dummyauth")


def test_a_deploy_directory_with_all_files_is_read(directory: Path) -> None:
    """Production gets keys, known hosts and configuration with unchanged content."""
    read = deploy_dir.load(directory, PROD, SETTINGS).key_files

    assert read.ssh_client_key == FILES["ssh_client_key"]
    assert read.ssh_known_hosts == FILES["ssh_known_hosts"]
    assert read.zenith_client_key == FILES["ssh_zenith_client_key"]
    assert read.zenith_client_config == FILES["zenith_client_config.yaml"]
    assert read.unused == ()


def test_no_secret_is_in_a_repr(directory: Path) -> None:
    """The repr of the files, which a traceback may print, has no key and no client secret."""
    assert repr(deploy_dir.load(directory, PROD, SETTINGS).key_files) == "KeyFiles(unused=())"


def test_a_front_door_with_another_issuer_is_warned_about(directory: Path) -> None:
    """A Zenith server with another issuer than oidcServer causes a warning.

    The hub would refuse the tokens of the other issuer.
    """
    text = deploy_configmap.example(PROD, SETTINGS)
    path = directory / zenith_config.FILE_NAME
    assert deploy_dir.load(directory, PROD, SETTINGS).warnings == (
        f"{path}: authOidcIssuer differs from oidcServer, so the hub would refuse the front door's tokens",
    )

    put(directory, deploy_configmap.FILE_NAME, text.replace("https://keycloak.example.org/realms/site", ISSUER))

    assert deploy_dir.load(directory, PROD, SETTINGS).warnings == ()


def test_all_problems_of_a_deploy_directory_are_reported_at_once(directory: Path) -> None:
    """One error lists all problems of a deploy directory, each with its file."""
    path = directory / deploy_configmap.FILE_NAME
    path.write_text(path.read_text().replace("http://hub", "hub"))
    (directory / "ssh_client_key").unlink()
    put(directory, "ssh_known_hosts", f"{HOST}\n")
    put(directory, "zenith_client_config.yaml", ZENITH + "runAsUser: 0\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD, SETTINGS)

    error = caught.value
    assert error.message == f"5 problems in {directory}"
    assert [line.partition(" ")[0] for line in error.detail] == [
        f"{path}:15:",
        f"{directory / 'ssh_client_key'}:",
        f"{directory / 'ssh_known_hosts'}:1:",
        f"{directory / 'ssh_known_hosts'}:",
        f"{directory / 'zenith_client_config.yaml'}:9:",
    ]


def test_a_missing_configmap_does_not_hide_the_other_problems(directory: Path) -> None:
    """Without a ConfigMap, the files are still checked, except for the unknown host."""
    (directory / deploy_configmap.FILE_NAME).unlink()
    (directory / "ssh_client_key").chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD, SETTINGS)

    assert [Path(line.partition(": ")[0]).name for line in caught.value.detail] == [
        deploy_configmap.FILE_NAME,
        "ssh_client_key",
    ]


def test_a_single_problem_is_the_message_itself(directory: Path) -> None:
    """The error of a single problem has the problem as message, and a remedy."""
    path = directory / "ssh_client_key"
    path.chmod(0o644)

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(directory, PROD, SETTINGS)

    assert caught.value.message.startswith(f"{path}: is accessible to other users of this machine")
    assert caught.value.remedy == f"chmod 600 {path}"


def test_problems_of_the_configmap_alone_name_the_configmap(tmp_path: Path) -> None:
    """If only the ConfigMap is wrong, the error names it instead of the directory."""
    (tmp_path / deploy_configmap.FILE_NAME).write_text("kind: ConfigMap\ndata: {}\n")

    with pytest.raises(SettingsError) as caught:
        deploy_dir.load(tmp_path, DUMMY, SETTINGS)

    assert caught.value.message == f"2 settings are wrong in {tmp_path / deploy_configmap.FILE_NAME}"
