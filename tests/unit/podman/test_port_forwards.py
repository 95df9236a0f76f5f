"""Stale port forwards of a killed podman, with stand-ins for podman and iptables."""

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
    """Return a stand-in for podman with one container.

    iptables has the rules above, and the user is root.
    """
    outputs = {"ps": "c1\\n", "container": f"{RUNNING} \\n", "network": NETWORKS}
    cases = "\n".join(f"{word}) printf '%b' '{output}' ;;" for word, output in outputs.items())
    _stand_in(tmp_path / "podman", f'case "$1" in\n{cases}\nesac')
    (tmp_path / "rules").write_text(RULES)
    _stand_in(tmp_path / "iptables", f'[ "$*" = "-t nat -S" ] && cat {tmp_path}/rules')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("os.getuid", lambda: 0)
    return Podman(executable=str(tmp_path / "podman"))


def _stand_in(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_forward_to_a_removed_container_is_stale(podman: Podman) -> None:
    """A forward to an unused address of podman's networks is found, with its remedy.

    The remedy is a command that removes the forward.
    """
    stale = port_forwards.find_stale(podman)

    assert [(each.port, each.address, each.removal) for each in stale] == [(8000, GONE, REMOVAL)]
    assert port_forwards.remedy(stale) == f"as root: `{REMOVAL}`"


def test_other_forwards_are_not_stale(podman: Podman, tmp_path: Path) -> None:
    """Forwards of running containers, of other programs and of another podman are ignored."""
    (tmp_path / "rules").write_text(RULES.replace(f"--dport 8000 -j DNAT --to-destination {GONE}", "-j RETURN"))

    assert not port_forwards.find_stale(podman)
    assert not port_forwards.remedy(())


@pytest.mark.parametrize("missing", ["root", "iptables", "rules"])
def test_without_root_or_iptables_nothing_is_stale(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without root, or without a working iptables, the result is empty.

    Such forwards exist only with podman as root.
    """
    if missing == "root":
        monkeypatch.setattr("os.getuid", lambda: 1000)
    elif missing == "iptables":
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    else:
        (tmp_path / "rules").unlink()

    assert not port_forwards.find_stale(podman)


def test_nothing_is_stale_while_containers_are_removed(podman: Podman, tmp_path: Path) -> None:
    """A forward may belong to a container that is removed between two queries."""
    _stand_in(tmp_path / "podman", "[ \"$1\" = ps ] && echo c1 || { echo 'no such container' >&2; exit 125; }")

    assert not port_forwards.find_stale(podman)
