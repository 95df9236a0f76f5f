"""Sources of a site that follow the contract give a working environment, and a hub can change to and from them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hubpod.client import HubError, Server
from hubpod_harness.external_services import SLURM_HOST, USERS
from hubpod_harness.steps import wait_until
from support.external_services import ExternalServices
from support.foreign_sources import AUTHENTICATOR, write_release, write_sources
from support.instances import SOURCES, CommandResult, RunningInstance
from support.runs import run_pytest

LAST_CHARACTERS = 8000


def test_other_sources_with_the_same_contract_work(instances: Callable[[], RunningInstance], tmp_path: Path) -> None:
    """A user gets a notebook, and an edit of the package becomes live."""
    running = instances()
    options = write_sources(tmp_path)

    up = running.invoke("dev.up", *options)
    assert up.code == 0, up.text
    spawn = running.invoke("dev.spawn", "--project=project2")

    assert spawn.code == 0, spawn.text + running.invoke("dev.logs", "--container=jupyterhub", "--tail=30").text

    code = tmp_path / "bricsauthenticator" / "src" / "bricsauthenticator" / "__init__.py"
    code.write_text(AUTHENTICATOR + "print('an edit of my own', flush=True)\n")
    reload = running.invoke("dev.reload", *options)
    assert reload.code == 0, reload.text
    assert "restarted: jupyterhub" in reload.text
    assert "an edit of my own" in running.invoke("dev.logs", "--container=jupyterhub", "--tail=100").text


def jobs(services: ExternalServices) -> list[str]:
    """Return the ids of the jobs on the Slurm host that have not ended."""
    host = f"{services.site.instance.resource}-{SLURM_HOST}"
    return services.podman.execute(host, ("squeue", "--noheader", "--format=%A")).stdout.split()


def change(services: ExternalServices, running: RunningInstance, *, to: Callable[[], CommandResult]) -> None:
    """Start a server, change the hub, and check that the server works, can be stopped, and ends its job."""
    assert not jobs(services)
    services.log_in(running, USERS[0]).spawn(project="project1")
    (job,) = jobs(services)

    changed = to()
    assert changed.code == 0, changed.text
    server = services.log_in(running, USERS[0]).server()
    wait_until("the hub's check of the server", lambda: is_open(server))

    assert jobs(services) == [job]
    assert server.execute("5 * 4") == "20"
    server.stop()
    wait_until("the end of the job", lambda: not jobs(services))


def is_open(server: Server) -> bool:
    """Whether the server's page opens. A hub that has just started checks its servers first."""
    with suppress(HubError):
        return bool(server.open())
    return False


Deploy = Callable[[str], tuple[RunningInstance, tuple[str, ...]]]


def test_servers_outlive_a_change_of_the_spawner(
    deploy: Deploy, external_services: ExternalServices, tmp_path: Path
) -> None:
    """In development, a server of either spawner works under the other one, and a stop ends its job."""
    running, options = deploy("dev_dummyauth_extslurm")
    foreign, _ = write_sources(tmp_path)
    own = SOURCES[0]
    assert (up := running.invoke("dev.up", *options, foreign)).code == 0, up.text

    change(external_services, running, to=lambda: running.invoke("dev.up", *options, own))
    change(external_services, running, to=lambda: running.invoke("dev.up", *options, foreign))


def test_servers_outlive_a_move_of_production(
    deploy: Deploy, external_services: ExternalServices, tmp_path: Path
) -> None:
    """Production starts from a release of another build backend, moves to hubpod's packages, and back."""
    running, options = deploy("prod")
    foreign = write_release(tmp_path, "v0.7.0")
    assert (up := running.up(*options, foreign)).code == 0, up.text
    assert "bricsauthenticator v0.7.0" in up.text
    code = "import bricsauthenticator; print(bricsauthenticator.version)"
    version = running.execute("jupyterhub", "/opt/jupyterhub/bin/python", "-c", code)
    assert version == "0.7.0\n"

    change(external_services, running, to=lambda: running.invoke("prod.upgrade", *options))
    change(external_services, running, to=lambda: running.invoke("prod.upgrade", *options, foreign))


def test_foreign_sources_pass_the_tests_of_the_contract(tmp_path: Path) -> None:
    """A minimal authenticator, batchspawner and wrappers pass each test of the suite that is not hubpod's own."""
    sources = [option.replace("--source=", "--hubpod-source=") for option in write_sources(tmp_path)]

    result = run_pytest("harness/suite", "-m", "contract and not faults", "-q", *sources)

    assert result.code == 0, result.text[-LAST_CHARACTERS:]
    assert " passed" in result.text
