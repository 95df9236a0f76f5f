"""The choice of a podman configuration.

A stand-in fails as podman does on some machines.
"""

from pathlib import Path

import pytest

from hubpod.errors import MachineError
from hubpod.podman.machine import usable_podman
from hubpod.workspace import Workspace

# Prints what podman prints; "works" decides whether a pod can be started: always, with a containers.conf, or never.
STAND_IN = """\
#!/bin/sh
echo "$*" >> {log}
case "$1 $2" in
  "--version ") echo podman version {version} ;;
  "pod start") case "{works}" in
    always) ;;
    with-conf) [ -n "$CONTAINERS_CONF" ] || {{ echo "crun: no cgroups here" >&2; exit 126; }} ;;
    never) echo "no user namespaces here" >&2; exit 126 ;;
  esac ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """File in which the stand-in records its command lines."""
    return tmp_path / "calls"


def stand_in(tmp_path: Path, calls: Path, *, works: str = "always", version: str = "4.3.1") -> str:
    """Create a stand-in for podman and return its path."""
    program = tmp_path / "podman"
    program.write_text(STAND_IN.format(log=calls, works=works, version=version))
    program.chmod(0o755)
    return str(program)


@pytest.fixture(autouse=True)
def _unset_containers_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)


def test_working_podman_keeps_its_configuration(tmp_path: Path, calls: Path) -> None:
    """In a new checkout a podman that works is used without a configuration of hubpod's own."""
    podman = usable_podman(Workspace(project=tmp_path), stand_in(tmp_path, calls))

    assert podman.containers_conf is None
    assert not (Workspace(project=tmp_path).containers_conf).exists()


def test_smoke_test_runs_once_and_removes_its_pod(tmp_path: Path, calls: Path) -> None:
    """A successful smoke test is not repeated until the next boot, and it removes its pod."""
    executable = stand_in(tmp_path, calls)
    usable_podman(Workspace(project=tmp_path), executable)
    usable_podman(Workspace(project=tmp_path), executable)

    pods = [line.split() for line in calls.read_text().splitlines() if line.startswith("pod ")]
    assert [words[1] for words in pods] == ["create", "start", "rm"]
    assert pods[0][3] == pods[1][2] == pods[2][4]


def test_machine_that_needs_it_gets_a_containers_conf(tmp_path: Path, calls: Path) -> None:
    """If podman's defaults fail, hubpod writes a containers.conf that helps.

    A deleted file is written again.
    """
    executable = stand_in(tmp_path, calls, works="with-conf")
    conf = Workspace(project=tmp_path).containers_conf
    assert usable_podman(Workspace(project=tmp_path), executable).containers_conf == conf
    conf.unlink()

    assert usable_podman(Workspace(project=tmp_path), executable).containers_conf == conf

    assert conf.exists()


def test_failing_podman_is_reported_with_its_output(tmp_path: Path, calls: Path) -> None:
    """The error has podman's output and a remedy, and a useless configuration is removed."""
    with pytest.raises(MachineError) as caught:
        usable_podman(Workspace(project=tmp_path), stand_in(tmp_path, calls, works="never"))

    assert "no user namespaces here" in caught.value.detail
    assert "dev.doctor" in caught.value.remedy
    assert not (Workspace(project=tmp_path).containers_conf).exists()


def test_old_podman_is_refused(tmp_path: Path, calls: Path) -> None:
    """The error for a podman that cannot play the manifests names the required version."""
    with pytest.raises(MachineError, match=r"3\.4\.4 is too old: hubpod needs 4\.3"):
        usable_podman(Workspace(project=tmp_path), stand_in(tmp_path, calls, version="3.4.4"))
