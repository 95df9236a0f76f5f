"""The options that the plugin adds to pytest's command line."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hubpod.environments import Environment, Login, find_environment
from hubpod.errors import UsageError
from hubpod.sources.clones import SOURCE_NAMES
from hubpod.sources.origins import Origin, parse_origins

PROJECT = Path(__file__).parents[2]
DEFAULT_ENVIRONMENT = "dev_realauth"
ARTIFACTS = ".hubpod/failures"
BUNDLED_SOURCES = {name: Origin(directory=PROJECT / "packages" / name) for name in SOURCE_NAMES}
"""The packages as they lie here, whatever somebody has in the clones."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        environment: Which environment's hub is tested.
        origins: Sources that come from elsewhere, by name.
        keep: Leave the stacks when the tests have ended.
        reuse: Leave the stack for the next run, and take the one that an earlier run left.
        podman_version: The version that podman must have, such as ``5.4``; any when empty.
        jupyterhub: The line of JupyterHub in the hub's image; the current one when empty.
        artifacts: Folder that gets a folder for each test that fails.
    """

    environment: Environment = field(default_factory=lambda: find_environment(DEFAULT_ENVIRONMENT))
    origins: dict[str, Origin] = field(default_factory=lambda: dict(BUNDLED_SOURCES))
    keep: bool = False
    reuse: bool = False
    podman_version: str = ""
    jupyterhub: str = ""
    artifacts: Path = PROJECT / ARTIFACTS


def add(parser: pytest.Parser) -> None:
    """Declare them to pytest."""
    group = parser.getgroup("hubpod", "hubpod: whether a person can still get a notebook")
    group.addoption(
        "--hubpod-environment", metavar="NAME", default=DEFAULT_ENVIRONMENT, help="environment under test [%(default)s]"
    )
    group.addoption(
        "--hubpod-source",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="test this clone of bricsauthenticator or slurmspawner_wrappers; may be given for each",
    )
    group.addoption("--hubpod-keep", action="store_true", help="leave the stacks running at the end, to look at them")
    group.addoption(
        "--hubpod-reuse",
        action="store_true",
        help="leave the stack running, and use the one that is there if nothing changed in what it is made of",
    )
    group.addoption(
        "--hubpod-clean", action="store_true", help="remove the stacks that earlier runs have left, and do nothing else"
    )
    group.addoption("--hubpod-podman", metavar="PATH", default="", help="the podman to use [the one on PATH]")
    group.addoption(
        "--hubpod-podman-version", metavar="X.Y", default="", help="refuse to run with another version of podman"
    )
    group.addoption(
        "--hubpod-jupyterhub", metavar="X.Y", default="", help="test the hub with this line of JupyterHub [the current]"
    )
    group.addoption(
        "--hubpod-artifacts", metavar="FOLDER", default=ARTIFACTS, help="what is kept of failed tests [%(default)s]"
    )


def given(config: pytest.Config) -> bool:
    """Whether any of them was given: then the run is about stacks, whatever its tests turn out to be."""
    return any(str(argument).startswith("--hubpod-") for argument in config.invocation_params.args)


def read(config: pytest.Config) -> Options:
    """The options as values.

    Raises:
        UsageError: One of them is not a valid one.
    """
    environment = find_environment(config.getoption("hubpod_environment"))
    return Options(
        environment=environment,
        origins=BUNDLED_SOURCES | parse_origins(tuple(config.getoption("hubpod_source")), SOURCE_NAMES),
        keep=config.getoption("hubpod_keep"),
        reuse=config.getoption("hubpod_reuse"),
        podman_version=config.getoption("hubpod_podman_version"),
        jupyterhub=config.getoption("hubpod_jupyterhub"),
        artifacts=(config.invocation_params.dir / config.getoption("hubpod_artifacts")),
    )


def use_podman(config: pytest.Config) -> None:
    """Let every podman of this process and of those that it starts be the one that was asked for.

    Raises:
        UsageError: There is no program of that name there.
    """
    asked = config.getoption("hubpod_podman")
    if not asked:
        return
    path = Path(asked).absolute()
    if path.name != "podman" or not os.access(path, os.X_OK):
        raise UsageError(f"--hubpod-podman {asked}: no program there", remedy="give the path of a program named podman")
    os.environ["PATH"] = f"{path.parent}{os.pathsep}{os.environ.get('PATH', '')}"


def login_of(config: pytest.Config) -> Login:
    """How people log in to the hub under test."""
    return find_environment(config.getoption("hubpod_environment")).login
