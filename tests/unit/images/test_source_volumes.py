"""The code of sources in volumes, and what installing them generated."""

from dataclasses import replace
from pathlib import Path

import pytest

from hubpod.environments import Stage
from hubpod.images import source_volumes
from hubpod.images.build import BuildPlan
from hubpod.pod import File, Seed, SeedKind
from hubpod.podman.cli import Podman
from hubpod.sources.clones import SOURCES, Checkout
from hubpod.workspace import Workspace
from support.stand_ins import podman_returning


def test_generated_files_come_with_the_code(tmp_path: Path) -> None:
    """A module that the installation generated is added to the code.

    The code wins over a generated file of the same name. The image is read once.
    """
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "code.py").write_text("edited")
    checkout = Checkout(source=SOURCES[0], directory=tmp_path / "source", status="")
    plan = BuildPlan(name="jupyterhub", reference="x/jupyterhub:dev-1", stage=Stage.DEV, base="b", sources=(checkout,))
    generated = Seed(
        volume="v",
        kind=SeedKind.CONFIG,
        files=(File(path="code.py", content=b"old"), File(path="_version.py", content=b"1")),
    )
    reads: list[str] = []

    def read_from_image(_podman: Podman, _reference: str, directory: str) -> bytes:
        reads.append(directory)
        return generated.tar()

    podman = podman_returning({"image_id": "id"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_volumes, "export_directory", read_from_image)
        found = [
            source_volumes.load_code(Workspace(project=tmp_path), podman, [plan])["bricsauthenticator"]
            for _ in range(2)
        ]

    assert {file.path: file.content for file in found[1].files} == {"code.py": b"edited", "_version.py": b"1"}
    assert reads == ["/usr/src/bricsauthenticator"]
    assert source_volumes.load_code(Workspace(project=tmp_path), podman, [replace(plan, stage=Stage.PROD)]) == {}


def test_a_rebuild_names_the_source_that_caused_it(tmp_path: Path) -> None:
    """A source is named if its installation differs from that of this checkout's last build."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "pyproject.toml").write_text("1")
    checkout = Checkout(source=SOURCES[0], directory=tmp_path / "source", status="")
    plan = BuildPlan(name="jupyterhub", reference="r", stage=Stage.DEV, base="b", sources=(checkout,))
    workspace = Workspace(project=tmp_path)

    assert source_volumes.find_reinstalled(workspace, [plan]) == ()
    source_volumes.record_installations(workspace, [plan])
    assert source_volumes.find_reinstalled(workspace, [plan]) == ()
    (tmp_path / "source" / "pyproject.toml").write_text("2")
    assert source_volumes.find_reinstalled(workspace, [plan]) == (checkout,)
