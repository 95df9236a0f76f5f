"""The client of the harness, on a machine with a configuration of docker and testcontainers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Prints what the client would do. Nothing listens at the socket: the client connects with its first request.
SCRIPT = """
import json, os
from hubpod.pod import Container
from hubpod_harness.containers import create_beside, use_socket

before = dict(os.environ)
client = use_socket("unix:///nonexistent/own.sock")
made = create_beside(Container(name="c", image="localhost/i:1"), name="n", labels={}, client=client, other="o")
api = made.get_docker_client().client.api
print(json.dumps({
    "base": api.base_url, "socket": api.get_adapter(api.base_url).socket_path, "image": made.image,
    "proxies": [*filter(None, api._proxy_configs.values())],
    "headers": "X-Meta" in api.headers, "host": made.get_container_host_ip(),
    "same": before == dict(os.environ),
}))
"""
OWN = {
    "base": "http+docker://localhost",
    "socket": "/nonexistent/own.sock",
    "image": "localhost/i:1",
    "proxies": [],
    "headers": False,
    "host": "127.0.0.1",
    "same": True,
}
VARIABLES = {
    "DOCKER_HOST": "tcp://192.0.2.1:2375",
    "DOCKER_CONTEXT": "other",
    "DOCKER_TLS_VERIFY": "1",
    "DOCKER_CERT_PATH": "/nonexistent",
    "DOCKER_AUTH_CONFIG": '{"auths": {"registry.test": {"auth": "dTpw"}}}',
    "TESTCONTAINERS_HOST_OVERRIDE": "192.0.2.1",
    "TC_HOST": "192.0.2.1",
    "TESTCONTAINERS_CONNECTION_MODE": "none of them",
    "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX": "registry.test/",
    "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE": "/var/run/other.sock",
    "TESTCONTAINERS_RYUK_DISABLED": "false",
    "TC_MAX_TRIES": "many",
    "TC_POOLING_INTERVAL": "long",
}
SSH_HOST = {"DOCKER_HOST": "ssh://user@192.0.2.1"}
FILES = {
    ".testcontainers.properties": "tc.host=tcp://192.0.2.1:2375\nryuk.disabled=false\n",
    ".docker/config.json": json.dumps(
        {
            "currentContext": "other",
            "HttpHeaders": {"X-Meta": "x"},
            "proxies": {"default": {"httpProxy": "http://192.0.2.1:3128"}},
            "credsStore": "nonexistent",
        }
    ),
}


def describe_client(home: Path, **variables: str) -> object:
    """Create a client in a new process with this home directory and these variables."""
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": ":".join(sys.path), **variables}
    result = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("variables", [VARIABLES, SSH_HOST], ids=["all", "ssh"])
def test_variables_do_not_change_the_client(tmp_path: Path, variables: dict[str, str]) -> None:
    """Variables of docker and testcontainers change neither the socket nor the image, and stay as they were."""
    assert describe_client(tmp_path, **variables) == OWN


def test_files_do_not_change_the_client(tmp_path: Path) -> None:
    """Files in the home directory change nothing either."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    assert describe_client(tmp_path) == OWN
