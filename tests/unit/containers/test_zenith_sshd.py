"""The Zenith server of the test kit: the commands of its sshd, and its container."""

import base64
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hubpod.instances import find_instance
from hubpod_harness.zenith import RELAY_PORT, server

SERVER = Path(__file__).parents[3] / "containers" / "testkit" / "zenith_sshd.py"


@pytest.fixture
def listener() -> Iterator[int]:
    """A port with a listener, as sshd has one for a tunnel."""
    for port in range(41000, 41100):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            taken.listen()
            yield port
            return


def tunnel(records: Path, content: str) -> subprocess.Popen[str]:
    """Run the server's command with a configuration."""
    process = subprocess.Popen(
        [sys.executable, SERVER, "tunnel", "jupyter", "--records", records, "--discovery", "skip", "--delay", "none"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(f"{content}\nEND_CONFIGURATION\n")
    process.stdin.flush()
    return process


def encode(configuration: Mapping[str, object]) -> str:
    """Encode a configuration as clients send it."""
    return base64.encodebytes(json.dumps(configuration).encode()).decode()


def test_a_tunnel_is_recorded_until_it_ends(tmp_path: Path, listener: int) -> None:
    """The subdomain's record contains the port from the confirmation until SIGHUP."""
    process = tunnel(tmp_path, encode({"allocated_port": listener, "backend_protocol": "http"}))
    record, deadline = tmp_path / "jupyter", time.monotonic() + 10
    while not record.exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert record.read_text() == f"{listener}\n"
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (0, "SEND_CONFIGURATION\nRECEIVED_CONFIGURATION\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"unknown": 1}, "unknown key unknown"),
        ({"allocated_port": 80}, "allocated_port is not from 1024 to 49151"),
        ({"allocated_port": 49152}, "allocated_port is not from"),
        ({"allocated_port": 1025}, "no program listens on allocated_port"),
        ({"allocated_port": "x"}, "allocated_port has an invalid value"),
        ({"auth_oidc_issuer": "http://x"}, "auth_oidc_issuer needs auth_oidc_client_id"),
        ({"tls_cert": "x"}, "tls_cert needs a tls_key"),
    ],
)
def test_a_bad_tunnel_is_refused(tmp_path: Path, listener: int, changes: dict[str, object], sentence: str) -> None:
    """The server confirms the configuration, prints what is wrong with it, and exits with 1."""
    process = tunnel(tmp_path, encode({"allocated_port": listener, "backend_protocol": "http"} | changes))

    output, _ = process.communicate(timeout=10)

    assert process.returncode == 1
    assert output.startswith("SEND_CONFIGURATION\nRECEIVED_CONFIGURATION\n")
    assert sentence in output
    assert list(tmp_path.iterdir()) == []


def test_only_known_keys_get_a_tunnel(tmp_path: Path) -> None:
    """A known key gets a line of authorized_keys, and other keys get nothing."""
    instance = find_instance("dev_dummyauth", "t-1")
    _, seed = server(instance, image="testkit", keys={"jupyter": "ssh-ed25519 AAAA comment"}, host_key=b"")
    (tmp_path / "zenith_keys").write_bytes(next(file.content for file in seed.files if file.path == "zenith_keys"))

    def asked(key: str) -> str:
        argv = [sys.executable, str(SERVER), "keys", "ssh-ed25519", key, "--keys", str(tmp_path / "zenith_keys")]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout

    assert asked("AAAA") == 'restrict,port-forwarding,pty,command="zenith-sshd tunnel jupyter" ssh-ed25519 AAAA\n'
    assert asked("BBBB") == ""


def test_the_server_publishes_the_front_door_only() -> None:
    """The server's SSH port stays inside the stack's network."""
    container, seed = server(find_instance("dev_dummyauth", "t-1"), image="testkit", keys={}, host_key=b"key")

    assert [(port.container, port.host) for port in container.ports] == [(RELAY_PORT, 0)]
    assert [mount.volume for mount in container.mounts] == [seed.volume]
