"""Fixtures: podman, instances that are removed after the test, and external services."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from hubpod.context import prepare
from hubpod.environments import find_environment
from hubpod.images.ensure import ensure_images
from hubpod.instances import find_instance
from hubpod.podman.cli import Podman
from hubpod.podman.machine import usable_podman
from hubpod.request import UpRequest
from hubpod.system.progress import ConsoleReporter
from hubpod.workspace import Workspace
from hubpod_harness.external_services import IMAGE
from hubpod_harness.groups import assign_group
from hubpod_harness.options import BUNDLED_SOURCES
from hubpod_harness.session_run import open_run
from support.external_services import ExternalServices, open_external_services
from support.instances import PROJECT, RunningInstance, running_instance, temporary_instance
from support.signals import take_interrupts

STACKS = ("test_harness",)
"""Modules that start stacks of the harness instead of environments."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep environments in one process of pytest-xdist: they share ports and addresses."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            assign_group(item, item.path.stem if item.path.stem in STACKS else "environments")


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Let interrupts reach the commands that tests start."""
    take_interrupts()


@pytest.fixture(scope="session")
def podman() -> Podman:
    """Return the podman that the commands use."""
    return usable_podman(Workspace(project=PROJECT))


@pytest.fixture
def instances(podman: Podman) -> Iterator[Callable[[], RunningInstance]]:
    """Return a factory of instances, which are removed after the test."""
    with ExitStack() as made:
        yield lambda: made.enter_context(temporary_instance(podman))


@pytest.fixture(scope="session")
def running(podman: Podman) -> Iterator[RunningInstance]:
    """Bring up an instance shared by all tests of the session."""
    with running_instance(podman) as shared:
        yield shared


@pytest.fixture(scope="session")
def external_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalServices]:
    """Start an issuer, a Slurm host and a Zenith server, shared by all environments."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    request = UpRequest(instance=find_instance("dev_dummyauth", "images"), origins=BUNDLED_SOURCES)
    built = ensure_images(context, request, names=("slurm", IMAGE))
    directory = tmp_path_factory.mktemp("external_services")
    with open_run(context.workspace, context.podman) as run, open_external_services(run, built, directory) as found:
        yield found


@pytest.fixture
def deploy(
    podman: Podman, external_services: ExternalServices, tmp_path: Path
) -> Iterator[Callable[[str], tuple[RunningInstance, tuple[str, ...]]]]:
    """Return a factory of an environment's instance and the options of its `up`."""
    made = ExitStack()

    def make(name: str) -> tuple[RunningInstance, tuple[str, ...]]:
        environment = find_environment(name)
        running = made.enter_context(temporary_instance(podman, environment=name))
        directory = external_services.write_deploy_directory(tmp_path / running.name, environment)
        return running, (f"--deploy-dir={directory}", *external_services.options(environment))

    with made:
        yield make
