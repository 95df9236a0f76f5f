"""The files of hosts of the pods of one instance."""

from pathlib import Path

import pytest

from hubpod.components.assembly import instance_spec
from hubpod.deployment.peer_names import write_peer_names
from hubpod.environments import find_environment
from hubpod.pods import InstanceSpec
from hubpod.system.process import Result
from support.sites import site
from support.stand_ins import podman_returning

SLURM, HUB = "hubpod-dev-dummyauth--default-slurm", "hubpod-dev-dummyauth--default"


@pytest.fixture
def spec() -> InstanceSpec:
    """Two pods, that of Slurm first."""
    made = instance_spec(site(find_environment("dev_dummyauth")))
    assert [pod.name for pod in made.pods] == [SLURM, HUB]
    return made


def write(spec: InstanceSpec, *lines: str) -> None:
    """Write the names with these lines of podman about the pods."""
    done = Result(argv=(), returncode=0, stdout="".join(f"{line}\n" for line in lines))
    write_peer_names(podman_returning({"run": done}), spec)


def test_each_pod_finds_the_other(tmp_path: Path, spec: InstanceSpec) -> None:
    """What podman has written stays."""
    slurm, hub = tmp_path / "slurm", tmp_path / "hub"
    for file in (slurm, hub):
        file.write_text("127.0.0.1 localhost\n")

    write(spec, f"{slurm} 10.89.0.7 ", f"{hub} 10.89.0.8 fd00::8 ")

    assert slurm.read_text() == f"127.0.0.1 localhost\n10.89.0.8\t{HUB}\nfd00::8\t{HUB}\n"
    assert hub.read_text() == f"127.0.0.1 localhost\n10.89.0.7\t{SLURM}\n"


def test_the_name_service_remains_where_a_file_cannot_be_written(tmp_path: Path, spec: InstanceSpec) -> None:
    """A pod without a file, or without an address, costs the other nothing."""
    hub = tmp_path / "hub"
    hub.touch()

    write(spec, f"{tmp_path}/missing/slurm 10.89.0.7 ", f"{hub} 10.89.0.8 ")
    write(spec, "", "")
    write(spec)

    assert hub.read_text() == f"10.89.0.7\t{SLURM}\n"


def test_one_pod_has_no_peer() -> None:
    """Podman gets no query."""
    write_peer_names(podman_returning({}), instance_spec(site(find_environment("prod"))))
