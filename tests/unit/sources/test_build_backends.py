"""Build backends of releases against the lock files of the images."""

from pathlib import Path

import pytest

from hubpod.errors import SourceError
from hubpod.sources.build_backends import require_locked_backend

CONTAINERS = Path(__file__).parents[3] / "containers"
LOCKS = tuple(CONTAINERS / name / "release.lock" for name in ("jupyterhub", "slurm"))


def write(directory: Path, text: str) -> Path:
    """Write a project's pyproject.toml."""
    (directory / "pyproject.toml").write_text(text)
    return directory


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize(
    "requires",
    [
        '"setuptools", "setuptools-scm"',
        '"setuptools>=64", "setuptools_scm[toml]>=8", "wheel"',
        '"hatchling", "hatch-vcs"',
        '"poetry-core>=1.0.0"',
        '"poetry-core>=1", "poetry-dynamic-versioning>=1,<2"',
        '"flit_core>=3.4,<4"',
        '"flit_scm"',
        '"pdm-backend"',
        '"pbr>=6", "setuptools"',
        '"uv_build>=0.8"',
        '"hatchling", "uv-dynamic-versioning"',
        '"""setuptools""", "tomli; python_version < \'3.11\'"',
    ],
)
def test_common_backends_are_locked(tmp_path: Path, lock: Path, requires: str) -> None:
    """Common backends and their plugins for versions from git build a release."""
    require_locked_backend("x", write(tmp_path, f"[build-system]\nrequires = [{requires}]\n"), lock)


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "[build-system]\nrequires = []\n"])
def test_a_project_without_build_system_is_built_by_setuptools(tmp_path: Path, text: str) -> None:
    """PEP 518's default is locked, and so is a backend inside of the source."""
    require_locked_backend("x", write(tmp_path, text), LOCKS[0])


@pytest.mark.parametrize(
    ("requires", "named"),
    [
        ('"maturin>=1,<2"', "maturin"),
        ('"scikit-build-core"', "scikit-build-core"),
        ('"setuptools>=64", "cython"', "cython"),
        ('"setuptools<50"', "setuptools<50"),
        ('"hatchling", "hatch-fancy-pypi-readme"', "hatch-fancy-pypi-readme"),
        ('"setuptools @ https://example.org/setuptools.whl"', "setuptools@"),
    ],
)
def test_another_backend_is_refused_by_name(tmp_path: Path, requires: str, named: str) -> None:
    """The error names what is missing, the file that requires it, and the file to add it to."""
    project = write(tmp_path, f"[build-system]\nrequires = [{requires}]\n")

    with pytest.raises(SourceError, match=r"build-system\.requires") as refusal:
        require_locked_backend("bricsauthenticator", project, LOCKS[0])

    assert f"bricsauthenticator is built by {named}" in refusal.value.message.replace(" @ ", "@")
    assert "jupyterhub/release.lock does not contain" in refusal.value.message
    assert "release.in and run containers/lock" in refusal.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "[build-system]\nrequires = 5\n",
        "[build-system]\nrequires = [5]\n",
        "[build-system]\nrequires = ['!']\n",
        "build-system = 'x'\n",
        "[build-system\n",
    ],
)
def test_an_unreadable_requirement_is_refused(tmp_path: Path, text: str) -> None:
    """A requirement that is not one is an error of the source."""
    with pytest.raises(SourceError, match="cannot be read"):
        require_locked_backend("x", write(tmp_path, text), LOCKS[0])
