"""Each environment, deployed as a site deploys it: from nothing to a notebook, and nothing left afterwards."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from support.instances import PROJECT, Running
from support.neighbours import Neighbours, started

from harness.outside import IMAGE, USERS
from harness.run import started as run_started
from hubpod.building import build
from hubpod.client import HubClient, Session
from hubpod.context import prepare
from hubpod.environments import ENVIRONMENTS, Environment, Login, find_environment
from hubpod.origins import Origin
from hubpod.podman import Podman
from hubpod.progress import ConsoleReporter
from hubpod.request import UpRequest
from hubpod.sources import SOURCE_NAMES
from hubpod.workspace import Workspace

PASSWORD = secrets.token_urlsafe(18)
USER = USERS[0]


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """An issuer, a Slurm host and a Zenith server, which all environments share."""
    context = prepare(Workspace(project=PROJECT), ConsoleReporter(console=Console(quiet=True)))
    origins = {name: Origin(folder=PROJECT / "packages" / name) for name in SOURCE_NAMES}
    request = UpRequest(instance=Running(name="images", podman=context.podman).instance, origins=origins)
    images = build(context, request, names=("slurm", IMAGE))
    folder = tmp_path_factory.mktemp("neighbours")
    with run_started(context.workspace, context.podman) as run, started(run, images, folder) as found:
        yield found


@pytest.fixture
def deployed(
    podman: Podman, neighbours: Neighbours, tmp_path: Path
) -> Iterator[Callable[[str], tuple[Running, tuple[str, ...]]]]:
    """Names an instance of an environment and the options of its `up`; it leaves nothing."""
    made: list[Running] = []

    def make(name: str) -> tuple[Running, tuple[str, ...]]:
        environment = find_environment(name)
        running = Running(name=f"it-{secrets.token_hex(4)}", podman=podman, environment=name)
        made.append(running)
        folder = neighbours.write_deploy_directory(tmp_path / running.name, environment, PASSWORD)
        return running, (f"--deploy-dir={folder}", *neighbours.options(environment))

    yield make
    for running in made:
        running.down("--volumes")
        running.forget()
        assert not running.leftovers()


def log_in(neighbours: Neighbours, running: Running) -> Session:
    """Log in as a person does: with the form, or with a token in the header, through the tunnel where there is one."""
    client = HubClient(neighbours.url(running))
    if running.instance.environment.login is Login.JWT:
        return client.login_with_token(neighbours.issuer.mint(USER))
    return client.login(USER, PASSWORD)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_a_person_gets_a_notebook(
    neighbours: Neighbours,
    deployed: Callable[[str], tuple[Running, tuple[str, ...]]],
    environment: Environment,
) -> None:
    """Up, login, spawn on real Slurm, a kernel answers; down leaves nothing."""
    running, options = deployed(environment.name)

    up = running.up(*options)
    assert up.code == 0, up.text
    server = log_in(neighbours, running).spawn(project="project1")
    where = server.execute("import getpass, os; print(getpass.getuser(), os.environ['SLURM_JOB_ID'])")
    server.stop()
    down = running.down("--volumes")

    assert where.split()[0] == f"{USER}.project1"
    assert where.split()[1].isdecimal()
    assert down.code == 0, down.text
    assert not running.leftovers()


def test_nothing_but_the_tunnel_reaches_a_hub_behind_one(
    deployed: Callable[[str], tuple[Running, tuple[str, ...]]],
) -> None:
    """Behind a tunnel no port is published, and in the pod's network only this pod reaches proxy and hub."""
    running, options = deployed("dev_realauth_zenithclient")
    up = running.up(*options)
    assert up.code == 0, up.text

    assert "through the Zenith tunnel" in up.stdout
    assert running.status["ports"] == []
    listening = running.inside("slurm", "cat", "/proc/net/tcp", "/proc/net/tcp6")
    for port in (8000, 8001, 8081):
        addresses = {line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line}
        assert addresses == {f"0100007F:{port:04X}"}, port
