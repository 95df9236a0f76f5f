"""Port forwards that a killed podman has left behind, with stand-ins for podman and iptables."""

import json
import os
from pathlib import Path

import pytest

from hubpod.podman import port_forwards
from hubpod.podman.cli import Podman

GONE, RUNNING, FOREIGN = "10.89.0.5", "10.89.0.7", "10.99.0.5"
CHAIN = "NETAVARK-DN-4B9D9135B29BA"
RULES = f"""\
-P PREROUTING ACCEPT
-N {CHAIN}
-A NETAVARK-HOSTPORT-DNAT -d 127.0.0.1/32 -p tcp -m tcp --dport 8000 -m comment --comment "dnat name: x" -j {CHAIN}
-A {CHAIN} -s 10.89.0.0/24 -d 127.0.0.1/32 -p tcp -m tcp --dport 8000 -j NETAVARK-HOSTPORT-SETMARK
-A {CHAIN} -d 127.0.0.1/32 -p tcp -m tcp --dport 8000 -j DNAT --to-destination {GONE}:8000
-A {CHAIN} -d 127.0.0.1/32 -p tcp -m tcp --dport 8000 -j DNAT --to-destination {RUNNING}:8000
-A NETAVARK-DN-OTHERPODMAN -p tcp -m tcp --dport 8000 -j DNAT --to-destination {FOREIGN}:8000
-A DOCKER -p tcp -m tcp --dport 8000 -j DNAT --to-destination {GONE}:8000
"""
REMOVAL = f"iptables -t nat -D {CHAIN} -d 127.0.0.1/32 -p tcp -m tcp --dport 8000 -j DNAT --to-destination {GONE}:8000"
NETWORKS = json.dumps([{"name": "kube", "subnets": [{"subnet": "10.89.0.0/24"}]}, {"name": "none", "subnets": None}])


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Podman:
    """A podman with one container, on a machine with these rules, for somebody who is root."""
    answers = {"ps": "c1\\n", "container": f"{RUNNING} \\n", "network": NETWORKS}
    cases = "\n".join(f"{word}) printf '%b' '{answer}' ;;" for word, answer in answers.items())
    _stand_in(tmp_path / "podman", f'case "$1" in\n{cases}\nesac')
    (tmp_path / "rules").write_text(RULES)
    _stand_in(tmp_path / "iptables", f'[ "$*" = "-t nat -S" ] && cat {tmp_path}/rules')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("os.getuid", lambda: 0)
    return Podman(executable=str(tmp_path / "podman"))


def _stand_in(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_forward_to_a_container_that_is_gone_is_found(podman: Podman) -> None:
    """It is the one to an address of podman's own networks that no container has; its remedy is a whole command."""
    left = port_forwards.left_behind(podman)

    assert [(each.port, each.address, each.removal) for each in left] == [(8000, GONE, REMOVAL)]
    assert port_forwards.remedy(left) == f"as root: `{REMOVAL}`"


def test_a_machine_without_one_has_nothing_to_tell(podman: Podman, tmp_path: Path) -> None:
    """Forwards of running containers, of other programs and of another podman are nobody's business."""
    (tmp_path / "rules").write_text(RULES.replace(f"--dport 8000 -j DNAT --to-destination {GONE}", "-j RETURN"))

    assert not port_forwards.left_behind(podman)
    assert not port_forwards.remedy(())


@pytest.mark.parametrize("missing", ["root", "iptables", "rules"])
def test_where_it_cannot_be_told_nothing_is(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without root there are no such rules; where iptables is missing or refuses, nothing is claimed."""
    if missing == "root":
        monkeypatch.setattr("os.getuid", lambda: 1000)
    elif missing == "iptables":
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    else:
        (tmp_path / "rules").unlink()

    assert not port_forwards.left_behind(podman)


def test_nothing_is_claimed_while_containers_go(podman: Podman, tmp_path: Path) -> None:
    """A container that goes between two questions might be the one that is forwarded to."""
    _stand_in(tmp_path / "podman", "[ \"$1\" = ps ] && echo c1 || { echo 'no such container' >&2; exit 125; }")

    assert not port_forwards.left_behind(podman)
