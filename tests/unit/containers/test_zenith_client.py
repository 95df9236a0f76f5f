"""The Zenith client as a process that starts ssh, as in its container."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[3] / "containers" / "zenith-client" / "client.py"
SECRET = "a-client-secret-of-a-test-0123456789"
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nof a test\n-----END OPENSSH PRIVATE KEY-----\n"
CONFIG = f"""
serverAddress: zenith.test
serverPort: 2222
authOidcIssuer: http://issuer.test/realms/test
authOidcClientId: jupyter
authOidcClientSecret: {SECRET}
"""

# Acts as the server at the other end of ssh, and echoes as a terminal does.
FAKE_SSH = f"""#!{sys.executable}
import json, os, pathlib, sys, time
directory = pathlib.Path(__file__).parent
mode = (directory / "mode").read_text()
key = pathlib.Path(sys.argv[sys.argv.index("-i") + 1])
seen = {{"argv": sys.argv[1:], "pid": os.getpid(), "key": key.read_text(), "mode": key.stat().st_mode}}
(directory / "seen").write_text(json.dumps(seen))
def say(text):
    sys.stdout.write(text + "\\r\\n")
    sys.stdout.flush()
if mode == "refused":
    say("zenith@zenith.test: Permission denied (publickey).")
    sys.exit(255)
say("Warning: Permanently added")
if mode == "silent":
    time.sleep(60)
say("Allocated port 40001 for remote forward to 127.0.0.1:8000")
say("a message of the day")
say("SEND_CONFIGURATION")
lines = []
for line in sys.stdin:
    lines.append(line)
    sys.stdout.write("noise " * (len(lines) == 2) + line.replace("\\n", "\\r\\n"))
    if line == "END_CONFIGURATION\\n":
        break
(directory / "sent").write_text("".join(lines))
say("RECEIVED_CONFIGURATION")
say("checked")
if mode == "dropped":
    sys.exit(255)
if mode == "rejected":
    say("zenith-sshd: unknown key")
    sys.exit(1)
time.sleep(60)
"""


class Client:
    """Runs the client in a directory with a configuration, a key and a fake ssh."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "ssh").write_text(FAKE_SSH)
        (directory / "ssh").chmod(0o755)
        (directory / "key").write_bytes(KEY)
        self.variables = {
            "PATH": f"{directory}:{os.environ['PATH']}",
            "ZENITH_CLIENT_CONFIG": str(directory / "client.yaml"),
            "ZENITH_CLIENT__SSH_IDENTITY_PATH": str(directory / "key"),
            "ZENITH_CLIENT__FORWARD_TO_HOST": "127.0.0.1",
            "ZENITH_CLIENT__FORWARD_TO_PORT": "8000",
        }

    def start(self, mode: str, config: str = CONFIG, **variables: str) -> subprocess.Popen[str]:
        """Start the client against a server that behaves in the given mode."""
        (self.directory / "mode").write_text(mode)
        (self.directory / "client.yaml").write_text(config)
        return subprocess.Popen(
            [sys.executable, CLIENT, "connect"],
            env=self.variables | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, mode: str, config: str = CONFIG, **variables: str) -> tuple[int, str]:
        """Run the client to its end and return its exit code and output."""
        process = self.start(mode, config, **variables)
        output, _ = process.communicate(timeout=20)
        return process.returncode, output

    @property
    def seen(self) -> dict[str, object]:
        """Return the arguments of ssh."""
        return dict(json.loads((self.directory / "seen").read_text()))

    @property
    def sent(self) -> list[str]:
        """Return the lines that the client sent to the server."""
        return (self.directory / "sent").read_text().splitlines()


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A client with its files in a temporary directory."""
    return Client(tmp_path)


def test_the_client_sends_the_configuration_of_the_tunnel(client: Client) -> None:
    """The configuration arrives as base64 JSON in short lines with the end marker.

    It has the allocated port and the configured keys.
    """
    client.run("dropped")

    *lines, empty, end = client.sent
    assert (empty, end) == ("", "END_CONFIGURATION")
    assert max(map(len, lines)) == 76
    assert json.loads(base64.b64decode("".join(lines))) == {
        "allocated_port": 40001,
        "backend_protocol": "http",
        "auth_oidc_issuer": "http://issuer.test/realms/test",
        "auth_oidc_client_id": "jupyter",
        "auth_oidc_client_secret": SECRET,
    }


def test_ssh_is_called_as_the_protocol_requires(client: Client) -> None:
    """The configured forwarding, port, address and private key reach ssh.

    The key is in a private copy that is removed later.
    """
    client.run("dropped")

    seen = client.seen
    argv = list(map(str, seen["argv"])) if isinstance(seen["argv"], list) else []
    assert argv[0] == "-tt"
    assert argv[-6:] == ["-R", "0:127.0.0.1:8000", "-p", "2222", "--", "zenith@zenith.test"]
    assert {"-oExitOnForwardFailure=yes", "-oServerAliveInterval=10", "-oServerAliveCountMax=3"} <= set(argv)
    assert seen["key"] == KEY.decode()
    assert isinstance(seen["mode"], int)
    assert stat.S_IMODE(seen["mode"]) == 0o600
    assert not Path(argv[argv.index("-i") + 1]).exists()


def test_the_output_of_ssh_is_logged_without_secrets(client: Client) -> None:
    """Lines of ssh are logged, but not the echo of the configuration.

    Other text may precede the echo.
    """
    code, output = client.run("dropped")

    assert code == 255
    assert output.splitlines() == [
        "Warning: Permanently added",
        "a message of the day",
        "Tunnel configured successfully",
        "checked",
    ]


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [
        ("refused", 1, "ssh exited before the server allocated a port"),
        ("rejected", 1, "unknown key"),
        ("silent", 1, "the server took more than 1 s"),
    ],
)
def test_a_failed_tunnel_is_reported(client: Client, mode: str, code: int, said: str) -> None:
    """If the server refuses or does not answer, the client exits with 1 and the reason."""
    ended, output = client.run(mode, CONFIG + "configureTimeout: 1\n")

    assert ended == code
    assert said in output


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("serverPort: 22", "serverAddress is missing"),
        ("serverAddress: -oProxyCommand=x", "serverAddress is not a host name"),
        ("serverAddress: a b", "serverAddress is not a host name"),
        ("serverAddress: a\nserverPort: 65536", "serverPort is not a port number"),
        ("serverAddress: a\nserverPort: -p", "serverPort is not a port number"),
        ("serverAddress: a\nforwardToHost: '1:2'", "forwardToHost is not a host name"),
        ("serverAddress: a\nsshIdentityPath: /nowhere/key", "sshIdentityPath is not a readable file"),
        ("serverAddress: a\nsshPrivateKeyData: '***'", "sshPrivateKeyData is not base64"),
        ("serverAddress: a\nskipAuth: maybe", "skipAuth is neither true nor false"),
        ("serverAddress: a\nauthExternalParams: x", "authExternalParams is not a mapping"),
        (f"- {SECRET}", "is not YAML with keys and values"),
        (f"a: [{SECRET}", "is not YAML with keys and values, see line"),
    ],
)
def test_a_bad_configuration_is_refused(client: Client, config: str, sentence: str) -> None:
    """Each mistake has its own message without the value, and ssh is not started."""
    code, output = client.run("dropped", config)

    assert code == 1
    assert f"zenith-client: {sentence}" in output.replace(f"{client.directory}/client.yaml ", "")
    assert SECRET not in output
    assert not (client.directory / "seen").exists()


def test_an_unknown_key_is_ignored_with_a_warning(client: Client) -> None:
    """Another version of the client may know a key that this one ignores; its value is not printed."""
    _, output = client.run("dropped", f"{CONFIG}serverAdress: {SECRET}\n")

    assert "unknown key serverAdress is ignored" in output
    assert "configured successfully" in output
    assert SECRET not in output


def test_the_file_wins_over_the_environment(client: Client) -> None:
    """A variable applies only if the file does not set its key."""
    client.run("dropped", ZENITH_CLIENT__SERVER_PORT="99", ZENITH_CLIENT__SERVER_ALIVE_PERIOD="7")

    argv = str(client.seen["argv"])
    assert "'2222'" in argv
    assert "'99'" not in argv
    assert "ServerAliveInterval=7" in argv


def test_a_signal_ends_the_client_and_ssh(client: Client) -> None:
    """SIGTERM ends both and removes the copy of the key."""
    process = client.start("stays")
    output = process.stdout
    assert output is not None
    assert any("configured successfully" in line for line in output)

    process.terminate()

    assert process.wait(timeout=5) == 143
    seen = client.seen
    assert not Path(f"/proc/{seen['pid']}").exists()
    argv = list(seen["argv"]) if isinstance(seen["argv"], list) else []
    assert not Path(argv[argv.index("-i") + 1]).parent.exists()
