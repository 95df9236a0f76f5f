"""A podman that uses a remote service. A stand-in answers as podman does."""

import json
from pathlib import Path

import pytest

from hubpod.commands.doctor import examine
from hubpod.errors import MachineError
from hubpod.podman.findings import Verdict
from hubpod.podman.machine import usable_podman
from hubpod.workspace import Workspace

STAND_IN = """\
#!/bin/sh
echo "$*" >> {directory}/calls
case "$1 $2" in
  "--version ") echo podman version {version} ;;
  "info "*) cat {directory}/info; cat {directory}/error >&2; [ ! -s {directory}/error ] || exit 125 ;;
  "system connection") cat {directory}/connections ;;
esac
"""
UNREACHABLE = """\
Cannot connect to Podman. Please verify your connection to the Linux system using `podman system connection list`, …
Error: unable to connect to Podman socket: Get "http://d/v4.3.1/libpod/_ping": dial tcp 192.0.2.1:1: connection refused
"""
UNKNOWN = 'Error: read cli flags: connection "nope" not found\n'
LOCAL = {"host": {"serviceIsRemote": False, "remoteSocket": {"path": "/run/podman/podman.sock"}}}
REMOTE = {"host": {"serviceIsRemote": True, "remoteSocket": {"path": "unix:///run/other.sock"}}}
CONNECTIONS = [
    {"Name": "other", "URI": "ssh://b@other.test", "Default": False},
    {"Name": "build", "URI": "ssh://core:secret@build.test:22/run/podman.sock", "Default": True},
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and no variables of podman."""
    for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINERS_CONF", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def stand_in(
    directory: Path, info: object = "", *, error: str = "", connections: object = (), version: str = "4.3.1"
) -> str:
    """Create a podman with these answers and return its path."""
    for name, answer in (("info", info), ("connections", list(connections) if connections else [])):  # type: ignore[call-overload]
        (directory / name).write_text(json.dumps(answer))
    (directory / "error").write_text(error)
    program = directory / "podman"
    program.write_text(STAND_IN.format(directory=directory, version=version))
    program.chmod(0o755)
    return str(program)


def calls(directory: Path, command: str) -> int:
    """Count the calls of one command."""
    return sum(line.startswith(command) for line in (directory / "calls").read_text().splitlines())


@pytest.mark.parametrize("version", ["4.3.1", "5.4.2"])
@pytest.mark.parametrize(
    ("variables", "name", "remedy"),
    [
        ({"CONTAINER_HOST": "tcp://192.0.2.1:1"}, "CONTAINER_HOST=tcp://192.0.2.1:1", "unset CONTAINER_HOST"),
        ({"CONTAINER_HOST": "ssh://u:pw@h.test/s"}, "CONTAINER_HOST=ssh://u:***@h.test/s", "unset CONTAINER_HOST"),
        ({"CONTAINER_CONNECTION": "build"}, "CONTAINER_CONNECTION=build", "unset CONTAINER_CONNECTION"),
        ({}, "the connection build (ssh://core:***@build.test:22/run/podman.sock)", "remote = false"),
    ],
)
@pytest.mark.parametrize("error", ["", UNREACHABLE, UNKNOWN])
def test_a_remote_podman_is_refused_by_name(  # noqa: PLR0913, PLR0917 - the cases
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    name: str,
    remedy: str,
    error: str,
    version: str,
) -> None:
    """The error names the service and what chose it, before a pod is started, whether or not the service answers."""
    if error == UNKNOWN and not variables:
        pytest.skip("podman reports this for a variable only")
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    program = stand_in(tmp_path, "" if error else REMOTE, error=error, connections=CONNECTIONS, version=version)

    with pytest.raises(MachineError, match="uses a remote service") as caught:
        usable_podman(Workspace(project=tmp_path), program)

    assert caught.value.exit_code == 4
    assert caught.value.message.endswith(f": {name}")
    assert remedy in caught.value.remedy
    assert not calls(tmp_path, "pod ")


def test_a_service_without_a_connection_is_named_by_its_socket(tmp_path: Path) -> None:
    """Without a variable or a connection, the error has the socket."""
    with pytest.raises(MachineError, match=r"unix:///run/other\.sock"):
        usable_podman(Workspace(project=tmp_path), stand_in(tmp_path, REMOTE))


@pytest.mark.parametrize("info", [LOCAL, {}, "no JSON object"])
def test_a_local_podman_is_checked_once(tmp_path: Path, info: object) -> None:
    """A podman of this machine is used, and a later command does not check it again."""
    program = stand_in(tmp_path, info)

    usable_podman(Workspace(project=tmp_path), program)
    usable_podman(Workspace(project=tmp_path), program)

    assert calls(tmp_path, "info") == 1


@pytest.mark.parametrize("change", ["CONTAINER_HOST", "CONTAINER_CONNECTION", "containers.conf", "connections"])
def test_a_change_of_the_environment_repeats_the_check(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A service that was chosen after the first check is found."""
    usable_podman(Workspace(project=tmp_path), stand_in(tmp_path, LOCAL))
    program = stand_in(tmp_path, REMOTE)
    directory = home / ".config" / "containers"
    directory.mkdir(parents=True)
    if change == "containers.conf":
        (directory / "containers.conf.d").mkdir()
        (directory / "containers.conf.d" / "remote.conf").write_text("[engine]\nremote = true\n")
    elif change == "connections":
        (directory / "podman-connections.json").write_text("{}")
    else:
        monkeypatch.setenv(change, "x")

    with pytest.raises(MachineError, match="uses a remote service"):
        usable_podman(Workspace(project=tmp_path), program)


def test_the_doctor_reports_a_remote_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor names the service, and judges nothing by what that service reports."""
    monkeypatch.setenv("CONTAINER_HOST", "tcp://192.0.2.1:1")

    findings = {
        each.check: each for each in examine(Workspace(project=tmp_path), stand_in(tmp_path, error=UNREACHABLE))
    }

    assert findings["remote podman"].verdict is Verdict.BAD
    assert "CONTAINER_HOST=tcp://192.0.2.1:1" in findings["remote podman"].text
    assert findings["remote podman"].remedy == "run `unset CONTAINER_HOST`"
    assert not findings.keys() & {"containers", "podman info", "storage", "network"}
