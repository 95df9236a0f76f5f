"""Fixtures: a podman, and instances that leave nothing."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hubpod.context import prepare
from hubpod.environments import find_environment, find_instance
from hubpod.images.ensure import ensure_images
from hubpod.podman.cli import Podman
from hubpod.podman.machine import usable_podman
from hubpod.request import UpRequest
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from hubpod_harness.external_services import IMAGE
from hubpod_harness.groups import assign_group
from hubpod_harness.options import BUNDLED_SOURCES
from hubpod_harness.session_run import open_run
from support.instances import PROJECT, RunningInstance
from support.neighbours import Neighbours, started

STACKS = ("test_harness",)
"""Modules that start stacks of the harness and no environments."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist's loadgroup environments stay in one process: they have ports and addresses in common."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            assign_group(item, item.path.stem if item.path.stem in STACKS else "environments")


@pytest.fixture(scope="session")
def podman() -> Podman:
    """The podman that the commands use."""
    return usable_podman(Workspace(project=PROJECT).state)


@pytest.fixture
def instances(podman: Podman) -> Iterator[Callable[[], RunningInstance]]:
    """Makes names of instances; whatever runs under them is removed after the test."""
    made: list[RunningInstance] = []

    def make() -> RunningInstance:
        made.append(RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman))
        return made[-1]

    yield make
    for running in made:
        running.down("--volumes")
        running.remove_settings()
        assert not running.remaining_resources()


@pytest.fixture(scope="session")
def running(podman: Podman) -> Iterator[RunningInstance]:
    """One instance that the tests of this run share; its end leaves nothing."""
    shared = RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman)
    try:
        typed = shared.up()
        assert typed.code == 0, typed.text
        yield shared
    finally:
        typed = shared.invoke("dev.down", "--volumes")
        shared.remove_settings()
    assert typed.code == 0, typed.text
    assert not shared.remaining_resources()


@pytest.fixture(scope="session")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """An issuer, a Slurm host and a Zenith server, which all environments share."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    request = UpRequest(instance=find_instance("dev_dummyauth", "images"), origins=BUNDLED_SOURCES)
    built = ensure_images(context, request, names=("slurm", IMAGE))
    folder = tmp_path_factory.mktemp("neighbours")
    with open_run(context.workspace, context.podman) as run, started(run, built, folder) as found:
        yield found


@pytest.fixture
def deployed(
    podman: Podman, neighbours: Neighbours, tmp_path: Path
) -> Iterator[Callable[[str], tuple[RunningInstance, tuple[str, ...]]]]:
    """Names an instance of an environment and the options of its `up`; it leaves nothing."""
    made: list[RunningInstance] = []

    def make(name: str) -> tuple[RunningInstance, tuple[str, ...]]:
        environment = find_environment(name)
        running = RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman, environment=name)
        made.append(running)
        folder = neighbours.write_deploy_directory(tmp_path / running.name, environment)
        return running, (f"--deploy-dir={folder}", *neighbours.options(environment))

    yield make
    for running in made:
        running.down("--volumes")
        running.remove_settings()
        assert not running.remaining_resources()
