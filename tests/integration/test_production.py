"""Production: check, upgrade while notebooks run, and rollback of a failed upgrade."""

import configparser
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubpod.client.deadline import Deadline
from hubpod.environments import find_environment
from hubpod.podman.cli import Podman
from hubpod_harness.external_services import USERS
from support.external_services import ExternalServices
from support.instances import PROJECT, RunningInstance, temporary_instance

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")

BROKEN = """
def _fail(self, **_):
    raise RuntimeError("a broken release")

BricsAuthenticator.__init__ = _fail
"""


@pytest.fixture(scope="module")
def prod(
    podman: Podman, external_services: ExternalServices, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningInstance, tuple[str, ...]]]:
    """Bring up production, and yield the instance and the options of its `up`."""
    environment = find_environment("prod")
    directory = external_services.write_deploy_directory(tmp_path_factory.mktemp("site") / "prod", environment)
    options = (f"--deploy-dir={directory}", *external_services.options(environment))
    with temporary_instance(podman, environment="prod") as running:
        result = running.up(*options)
        assert result.code == 0, result.text
        yield running, options


def broken_release(directory: Path) -> str:
    """Create a repository with a tag whose authenticator can be imported, and ends the hub."""
    shutil.copytree(PROJECT / "packages" / "bricsauthenticator", directory)
    with (directory / "src" / "bricsauthenticator" / "__init__.py").open("a") as module:
        module.write(BROKEN)
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "x"), ("tag", "v9")):
        subprocess.run([*GIT, *words], cwd=directory, check=True)
    return f"bricsauthenticator=file://{directory}@v9"


def test_a_check_reports_every_problem_and_starts_nothing(
    deploy: Callable[[str], tuple[RunningInstance, tuple[str, ...]]],
) -> None:
    """prod.check reports all problems at once, and creates no resource."""
    running, options = deploy("prod")

    good = running.invoke("prod.check", *options)
    directory = Path(options[0].partition("=")[2])
    (directory / "ssh_client_key").chmod(0o644)
    (directory / "ssh_known_hosts").write_text("other.example ssh-ed25519 AAAA\n")
    file = directory / "deploy-configmap.yaml"
    file.write_text(file.read_text().replace("jwtAudience", "jwtAudiense"))
    bad = running.invoke("prod.check", *options)

    assert good.code == 0, good.text
    # Rootless containers have a network that this machine cannot reach, which is reported.
    assert os.getuid() or "keys of the issuer (oidcServer): ready" in good.stdout
    assert bad.code == 3
    for text in ("ssh_client_key", "ssh_known_hosts", "jwtAudiense", "has 'jwtAudiense'"):
        assert text in bad.stderr
    assert not running.remaining_resources()


def test_an_upgrade_keeps_notebooks_and_rolls_back_on_failure(
    prod: tuple[RunningInstance, tuple[str, ...]], external_services: ExternalServices, tmp_path: Path
) -> None:
    """prod.up changes no running instance. A failed prod.upgrade restores the previous one."""
    running, options = prod
    session = external_services.log_in(running, USERS[1])
    server = session.spawn(project="project1")
    file = Path(options[0].partition("=")[2]) / "deploy-configmap.yaml"

    same = running.up(*options)
    file.write_text(file.read_text().replace("DEBUG", "INFO"))
    refused = running.up(*options)
    upgraded = running.invoke("prod.upgrade", *options)
    after_upgrade = server.execute("5 * 4")
    failed = running.invoke("prod.upgrade", *options, f"--source={broken_release(tmp_path / 'release')}")
    state = running.status["state"]
    after_failure = server.execute("5 * 4")
    external_services.log_in(running, USERS[1]).server().stop()

    assert "nothing changed" in same.text, same.text
    assert (refused.code, "prod.upgrade" in refused.stderr) == (2, True), refused.text
    assert upgraded.code == 0, upgraded.text
    assert failed.code == 7, failed.text
    assert "a broken release" in failed.stderr
    assert "what ran before runs again" in failed.stderr
    assert state == "ready"
    assert (after_upgrade, after_failure) == ("20", "20")


def test_the_systemd_unit_starts_production(prod: tuple[RunningInstance, tuple[str, ...]]) -> None:
    """The commands of the unit stop and start the instance, with the same port and names."""
    running, _ = prod
    text = running.invoke("prod.systemd").stdout
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    before = running.status["ports"]

    subprocess.run(shlex.split(unit["Service"]["ExecStop"]), env=running.podman.env, check=True)
    assert running.status["state"] == "down"
    subprocess.run(shlex.split(unit["Service"]["ExecStart"]), env=running.podman.env, check=True)
    deadline = Deadline(120, "the pod's being ready again")
    while (now := running.status)["state"] != "ready":
        deadline.pause(0.5)

    assert now["ports"] == before


def test_removing_production_needs_a_confirmation(prod: tuple[RunningInstance, tuple[str, ...]]) -> None:
    """Without --yes and without an answer nothing is removed."""
    running, _ = prod

    result = running.invoke("prod.down")

    assert result.code == 2
    assert "add --yes" in result.stderr
    assert running.status["state"] == "ready"
