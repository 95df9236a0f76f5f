"""Sizes as podman reports them."""

from pathlib import Path

from hubpod.podman.cli import Podman
from hubpod.podman.disk_usage import volume_sizes

OUTPUT = """\
Images space usage:

REPOSITORY               TAG          IMAGE ID      CREATED     SIZE        SHARED SIZE  UNIQUE SIZE  CONTAINERS
localhost/hubpod/slurm   dev-1        552b57943123  3 hours     448MB       128MB        320MB        2

Local Volumes space usage:

VOLUME NAME        LINKS       SIZE
homes              1           109.3kB
empty              0           0B
big                1           2.5GB
"""


def test_volumes_are_read_from_the_table(tmp_path: Path) -> None:
    """The table is the same in podman 4 and 5; images are not taken for volumes."""
    program = tmp_path / "podman"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{OUTPUT}END\n")
    program.chmod(0o700)
    podman = Podman(executable=str(program))
    podman._versions.append((4, 9, 3))

    assert volume_sizes(podman) == {"homes": 109_300, "empty": 0, "big": 2_500_000_000}
