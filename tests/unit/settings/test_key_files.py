"""The files beside the deploy ConfigMap: which are required, and which cannot be read."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hubpod.environments import ENVIRONMENTS, Environment, find_environment
from hubpod.settings import key_files
from hubpod.settings.ssh_address import SshAddress
from support.deploy_dirs import HOST, find_problems, put

EXTERNAL = find_environment("dev_dummyauth_extslurm")


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda row: row.name)
def test_each_environment_requires_its_own_files(tmp_path: Path, environment: Environment) -> None:
    """Exactly the files for the environment's Slurm and ingress are required."""
    needed = {
        "dev_dummyauth_extslurm": ["ssh_client_key", "ssh_known_hosts"],
        "dev_realauth_zenithclient": ["ssh_zenith_client_key", "zenith_client_config.yaml"],
        "prod": ["ssh_client_key", "ssh_known_hosts", "ssh_zenith_client_key", "zenith_client_config.yaml"],
    }

    _, problems = key_files.read(tmp_path, environment, SshAddress(host=HOST))

    assert [each.path.name for each in problems] == needed.get(environment.name, [])
    assert all(each.text == "is missing" and each.remedy for each in problems)


def test_unused_files_are_warned_about_and_not_checked(directory: Path) -> None:
    """Files that only other environments use are warnings, whatever their content."""
    put(directory, "ssh_zenith_client_key", "garbage")

    read, problems = key_files.read(directory, EXTERNAL, SshAddress(host=HOST))

    assert not problems
    assert read.unused == ("ssh_zenith_client_key", "ssh_zenith_client_key.pub", "zenith_client_config.yaml")
    assert read.zenith_client_key is None


@pytest.mark.parametrize("name", [row.name for row in key_files.FILES])
def test_a_file_that_cannot_be_read_is_named(directory: Path, name: str) -> None:
    """An unreadable, empty or oversized file is one problem that names the file."""
    path = directory / name
    makers: dict[str, Callable[[], object]] = {
        "is empty": lambda: path.write_bytes(b" \n"),
        "is a directory": path.mkdir,
        "is not a regular file": lambda: os.mkfifo(path),
        "is a symbolic link to nowhere, which does not exist": lambda: path.symlink_to("nowhere"),
        "is larger than 1048576 bytes": lambda: path.write_bytes(b"#" * (1024 * 1024 + 1)),
    }
    for text, make in makers.items():
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        make()
        lines = find_problems(directory)
        assert len(lines) == 1, lines
        assert lines[0].startswith(f"{path}: {text}; ")


def test_a_file_without_permission_is_named(directory: Path) -> None:
    """The problem of an unreadable file has the system's reason."""
    directory.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read every file
    try:
        lines = find_problems(directory)
    finally:
        os.seteuid(user)
        directory.chmod(0o700)

    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == ["cannot be read: Permission denied"] * 4


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_other_users_can_access_is_refused(directory: Path, mode: int) -> None:
    """A key that ssh would refuse because of its mode is refused before anything starts."""
    path = directory / "ssh_zenith_client_key"
    path.chmod(mode)

    assert find_problems(directory) == [
        f"{path}: is accessible to other users of this machine, and ssh refuses such a key; chmod 600 {path}"
    ]
