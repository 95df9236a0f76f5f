"""Tags that say what is in an image, and what a build is told of the host."""

import stat
from pathlib import Path

import pytest

from hubpod import images
from hubpod.base_image import Base, BaseFrom, read_base
from hubpod.environments import Stage
from hubpod.process import Result
from hubpod.sources import SOURCES, Checkout

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one image and one source."""
    (tmp_path / "containers" / "slurm" / "_dev_build_data").mkdir(parents=True)
    (tmp_path / "containers" / "slurm" / "Containerfile").write_text("FROM x\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "code.py").write_text("1\n")
    return tmp_path


def tag(project: Path, *, base: str = "b", stage: Stage = Stage.DEV) -> str:
    """The reference that the project's image would get."""
    checkout = Checkout(source=SOURCES[1], folder=project / "source", status="")
    return images.plan_build(project, "slurm", stage, base, (checkout,)).reference


def test_nothing_changed_means_the_same_tag(project: Path) -> None:
    """The tag is a function of what goes in; clones below _dev_build_data count by their content as sources only."""
    before = tag(project)
    (project / "containers" / "slurm" / "_dev_build_data" / "x").write_text("noise")

    assert tag(project) == before


def test_any_change_means_another_tag(project: Path) -> None:
    """Containerfile, script modes, sources, base and stage all change the tag."""
    tags = {tag(project), tag(project, base="c"), tag(project, stage=Stage.PROD)}
    (project / "source" / "code.py").write_text("2\n")
    tags.add(tag(project))
    (project / "containers" / "slurm" / "Containerfile").write_text("FROM y\n")
    tags.add(tag(project))
    (project / "containers" / "slurm" / "Containerfile").chmod(0o755)
    tags.add(tag(project))

    assert len(tags) == 6


def test_a_failed_build_names_the_step_and_its_last_lines() -> None:
    """What a person reads of a failed build is the step that failed and what it said."""
    plan = images.Build(name="slurm", reference="r", stage=Stage.DEV, base="b", sources=())
    output = "STEP 1/2: FROM x\nok\nSTEP 2/2: RUN false\nwent wrong"

    error = images.build_error(plan, Result(argv=("podman",), returncode=1, stdout=output))

    assert "STEP 2/2: RUN false" in error.message
    assert error.detail == ("went wrong",)


def test_a_build_gets_the_hosts_certificates_and_indexes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The CA bundle that the environment names and the package indexes are there for the build."""
    bundle = tmp_path / "corporate.pem"
    bundle.write_text("certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:it's@index.example/simple")

    folder = images.build_environment(tmp_path / "environment")
    exports = (folder / "env").read_text()

    assert stat.S_IMODE((folder / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert (folder / "ca-certificates.crt").read_text() == "certificate"
    assert "export SSL_CERT_FILE=/run/hubpod-build/ca-certificates.crt\n" in exports
    assert """export PIP_INDEX_URL='https://user:it'"'"'s@index.example/simple'\n""" in exports


def test_the_base_has_a_name_for_each_origin() -> None:
    """A base from a registry is never taken for a bootstrapped one."""
    base = read_base(PROJECT)

    assert base.reference(BaseFrom.REGISTRY) != base.reference(BaseFrom.BOOTSTRAP)


@pytest.mark.parametrize("reference", ["host:5000/library/debian:trixie-slim", "host:5000/library/debian"])
def test_a_registrys_port_is_no_tag(reference: str) -> None:
    """The repository that a digest is asked of keeps the port of its registry, and loses the tag."""
    assert Base(suite="trixie", registry=reference, packages=()).repository == "host:5000/library/debian"
