"""The lines of logs that error messages quote."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.deployment.log_lines import last_lines, read_log
from hubpod.environments import find_environment
from hubpod.pod import SeedKind
from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec
from support.sites import site

ENVIRONMENT = "dev_realauth_zenithclient"
SECRET = "k9#Qz/7wX+pL~m&Vt2-Rb5"


def podman(directory: Path, log: str) -> Podman:
    """Return a podman whose containers all have the same log, alternately from both streams."""
    lines = [f"echo {json.dumps(line)}{' >&2' if number % 2 else ''}" for number, line in enumerate(log.splitlines())]
    program = directory / "podman"
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(0o755)
    return Podman(executable=str(program))


@pytest.fixture
def spec() -> InstanceSpec:
    """A pod with a Zenith client that has a secret."""
    made = site(find_environment(ENVIRONMENT))
    configuration = json.dumps({"serverAddress": "zenith.test", "authOidcClientSecret": SECRET}).encode()
    files = replace(made.key_files, zenith_client_config=configuration)
    return instance_spec(replace(made, key_files=files))


def test_the_lines_of_both_streams_are_in_order(tmp_path: Path, spec: InstanceSpec) -> None:
    """The reason of a failure, on standard error, stays before the attempt that follows it."""
    log = "attempt 1\nrefused: bad key\nattempt 2\nrefused: bad key\nattempt 3"

    assert read_log(podman(tmp_path, log), spec, "zenith", since=0).splitlines() == log.splitlines()


def test_an_echoed_configuration_is_redacted(tmp_path: Path, spec: InstanceSpec) -> None:
    """The lines of an error show no secret of the pod, at whatever offset the client's echo begins."""
    for before in range(76):
        sent = {"allocated_port": 1, "name": "x" * before, "auth_oidc_client_secret": SECRET}
        echo = base64.encodebytes(json.dumps(sent).encode()).decode()
        core = base64.b64encode(SECRET.encode()).decode()[:20]
        log = f"SEND_CONFIGURATION\n{echo}END_CONFIGURATION\nissuer of zenith.test refused: secret '{SECRET}'"

        lines = last_lines(podman(tmp_path, log), spec, "zenith")

        assert lines[-1] == "issuer of zenith.test refused: secret '[redacted]'"
        assert "[redacted]" in "".join(lines[:-2])
        assert core not in "".join(lines)


def test_every_credential_is_redacted(tmp_path: Path, spec: InstanceSpec) -> None:
    """Tokens, passwords and keys of all containers are redacted, and public keys are not."""
    seeds = [seed for seed in spec.seeds if seed.kind is SeedKind.CREDENTIAL]
    files = {file.path: file.content.decode(errors="replace") for seed in seeds for file in seed.files}
    secrets = [files["env/CONFIGPROXY_AUTH_TOKEN"], files["env/JUPYTERHUB_CRYPT_KEY"]]
    log = "\n".join(["a host key", *secrets, files["ssh_known_hosts"].strip()])

    assert read_log(podman(tmp_path, log), spec, "jupyterhub", since=0).splitlines() == [
        "a host key",
        "[redacted]",
        "[redacted]",
        files["ssh_known_hosts"].strip(),
    ]
