"""Options that the plugin adds to pytest's command line."""

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
"""The packages of this checkout, regardless of the clones."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parsed options.

    Attributes:
        environment: The environment under test.
        origins: The origin of each source, by name.
        keep: Leave the stacks running after the tests.
        reuse: Leave the stack for the next run, and reuse the stack of an earlier run.
        podman_version: The version that podman must have, such as ``5.4``; empty for any.
        jupyterhub: The JupyterHub series in the hub's image; empty for the current one.
        artifacts: Directory that gets a directory for each failed test.
    """

    environment: Environment = field(default_factory=lambda: find_environment(DEFAULT_ENVIRONMENT))
    origins: dict[str, Origin] = field(default_factory=lambda: dict(BUNDLED_SOURCES))
    keep: bool = False
    reuse: bool = False
    podman_version: str = ""
    jupyterhub: str = ""
    artifacts: Path = PROJECT / ARTIFACTS


def add(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("hubpod", "hubpod: test a JupyterHub with Slurm in podman")
    group.addoption(
        "--hubpod-environment", metavar="NAME", default=DEFAULT_ENVIRONMENT, help="environment under test [%(default)s]"
    )
    group.addoption(
        "--hubpod-source",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="test this clone of bricsauthenticator or slurmspawner_wrappers; repeatable",
    )
    group.addoption("--hubpod-keep", action="store_true", help="leave the stacks running after the tests")
    group.addoption(
        "--hubpod-reuse",
        action="store_true",
        help="leave the stack running, and reuse it next time if its images and configuration are unchanged",
    )
    group.addoption("--hubpod-clean", action="store_true", help="remove the stacks of earlier runs, and exit")
    group.addoption("--hubpod-podman", metavar="PATH", default="", help="podman executable [first on PATH]")
    group.addoption("--hubpod-podman-version", metavar="X.Y", default="", help="fail unless podman has this version")
    group.addoption(
        "--hubpod-jupyterhub", metavar="X.Y", default="", help="JupyterHub series of the hub's image [current]"
    )
    group.addoption(
        "--hubpod-artifacts", metavar="DIRECTORY", default=ARTIFACTS, help="artifacts of failed tests [%(default)s]"
    )


def has_hubpod_options(config: pytest.Config) -> bool:
    """Return whether the command line has a hubpod option, so that the run needs stacks."""
    return any(str(argument).startswith("--hubpod-") for argument in config.invocation_params.args)


def read(config: pytest.Config) -> Options:
    """Return the options as values.

    Raises:
        UsageError: An option is invalid.
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
    """Put the requested podman first on the PATH of this process and its children.

    Raises:
        UsageError: The path is not an executable named podman.
    """
    requested = config.getoption("hubpod_podman")
    if not requested:
        return
    path = Path(requested).absolute()
    if path.name != "podman" or not os.access(path, os.X_OK):
        raise UsageError(
            f"--hubpod-podman {requested}: not an executable named podman",
            remedy="give the path of a podman executable",
        )
    os.environ["PATH"] = f"{path.parent}{os.pathsep}{os.environ.get('PATH', '')}"


def login_of(config: pytest.Config) -> Login:
    """Return the login method of the environment under test."""
    return find_environment(config.getoption("hubpod_environment")).login
