"""The wheel of hubpod, installed beside a site's own repository."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
SITE_TASKS = """\
from invoke.tasks import task


@task
def site_task(_):
    \"\"\"Do what only this site needs.\"\"\"
"""
ORIGINS = """\
import harness, hubpod.cli.dev, hubpod_harness.suite, tasks
for module in (tasks, harness, hubpod, hubpod_harness, hubpod_harness.suite):
    print(module.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel without network and unpack it, as an installer does with a pure wheel."""
    directory = tmp_path_factory.mktemp("distribution")
    source, target = directory / "source", directory / "site-packages"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "tasks.py"):
        shutil.copy(PROJECT / name, source)
    for name in ("hubpod", "hubpod_tasks", "harness"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = subprocess.run([sys.executable, "-c", BUILD, directory], cwd=source, check=True, capture_output=True)
    zipfile.ZipFile(directory / build.stdout.decode().split()[-1]).extractall(target)
    return target


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Make a repository of a site with a `tasks.py` and a package `harness` of its own."""
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("")
    (tmp_path / "tasks.py").write_text(SITE_TASKS)
    return tmp_path


def run_in(site: Path, installed: Path, *arguments: str) -> list[str]:
    """Run Python in a site's repository with the wheel, and return the output's lines."""
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{installed}"}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=site, env=environment, check=True, capture_output=True, text=True
    )
    return result.stdout.splitlines()


def test_the_list_of_packages_is_complete() -> None:
    """A package that pyproject.toml does not list would be missing from the wheel."""
    setuptools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]
    roots = {name: PROJECT / path for name, path in setuptools["package-dir"].items()}
    modules = [(name, file.relative_to(root).parent) for name, root in roots.items() for file in root.rglob("*.py")]

    assert set(setuptools["packages"]) == {".".join((name, *path.parts)) for name, path in modules}


def test_the_wheel_takes_no_names_of_a_site(installed: Path) -> None:
    """Only packages whose names begin with hubpod are installed at the top."""
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}

    assert names == {"hubpod", "hubpod_harness", "hubpod_tasks"}


def test_a_site_keeps_its_own_tasks_and_harness(installed: Path, site: Path) -> None:
    """A site keeps its own `tasks` and `harness`, with hubpod importable beside them."""
    origins = run_in(site, installed, "-c", ORIGINS)

    assert origins == [
        str(site / "tasks.py"),
        str(site / "harness" / "__init__.py"),
        str(installed / "hubpod" / "__init__.py"),
        str(installed / "hubpod_harness" / "__init__.py"),
        str(installed / "hubpod_harness" / "suite" / "__init__.py"),
    ]
    assert "site-task" in " ".join(run_in(site, installed, "-m", "invoke", "--list"))


def test_the_suite_is_collected_from_the_wheel(installed: Path, site: Path) -> None:
    """Pytest loads the plugin by its entry point, and `--pyargs` finds the suite."""
    (site / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    arguments = ("--pyargs", "hubpod_harness.suite.test_login", "--collect-only", "-q", "-p", "no:cacheprovider")

    lines = run_in(site, installed, "-m", "pytest", *arguments, f"--hubpod-artifacts={site}")

    assert any("::test_projects_may_be_json_text" in line for line in lines)
