"""Making podman work on this machine, with a stand-in for the failures that a working podman will not show."""

from pathlib import Path

import pytest

from hubpod.errors import MachineError
from hubpod.podman.machine import usable_podman

# Answers like podman; "works" decides whether a pod can be started: always, with a containers.conf, or never.
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
    """Where the stand-in notes how it is called."""
    return tmp_path / "calls"


def stand_in(tmp_path: Path, calls: Path, *, works: str = "always", version: str = "4.3.1") -> str:
    """A program that answers like podman."""
    program = tmp_path / "podman"
    program.write_text(STAND_IN.format(log=calls, works=works, version=version))
    program.chmod(0o755)
    return str(program)


@pytest.fixture(autouse=True)
def _no_conf_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINERS_CONF", raising=False)


def test_a_healthy_podman_gets_nothing(tmp_path: Path, calls: Path) -> None:
    """In a checkout where nothing was run before, a podman that works is used without any configuration of ours."""
    podman = usable_podman(tmp_path / "state", stand_in(tmp_path, calls))

    assert podman.containers_conf is None
    assert not (tmp_path / "state" / "containers.conf").exists()


def test_the_smoke_test_is_run_once_and_leaves_no_pod(tmp_path: Path, calls: Path) -> None:
    """What was seen to work since the machine was booted is not tested again, and the test removes its pod."""
    executable = stand_in(tmp_path, calls)
    usable_podman(tmp_path / "state", executable)
    usable_podman(tmp_path / "state", executable)

    pods = [line.split() for line in calls.read_text().splitlines() if line.startswith("pod ")]
    assert [words[1] for words in pods] == ["create", "start", "rm"]
    assert pods[0][3] == pods[1][2] == pods[2][4]


def test_a_machine_that_needs_it_gets_a_containers_conf(tmp_path: Path, calls: Path) -> None:
    """Where podman's defaults fail and ours help, they are kept for hubpod alone, and made again when they are lost."""
    executable = stand_in(tmp_path, calls, works="with-conf")
    conf = tmp_path / "state" / "containers.conf"
    assert usable_podman(tmp_path / "state", executable).containers_conf == conf
    conf.unlink()

    assert usable_podman(tmp_path / "state", executable).containers_conf == conf

    assert conf.exists()


def test_a_podman_that_cannot_start_anything_is_told_with_its_own_words(tmp_path: Path, calls: Path) -> None:
    """The error carries what podman said, the way on, and leaves no configuration that did not help."""
    with pytest.raises(MachineError) as caught:
        usable_podman(tmp_path / "state", stand_in(tmp_path, calls, works="never"))

    assert "no user namespaces here" in caught.value.detail
    assert "dev.doctor" in caught.value.remedy
    assert not (tmp_path / "state" / "containers.conf").exists()


def test_an_old_podman_is_refused_with_the_version_needed(tmp_path: Path, calls: Path) -> None:
    """A podman that cannot play our manifests is refused before anything is tried."""
    with pytest.raises(MachineError, match=r"3\.4\.4 is too old: hubpod needs 4\.3"):
        usable_podman(tmp_path / "state", stand_in(tmp_path, calls, version="3.4.4"))
