"""Production: checked before it starts, upgraded under running notebooks, and back where it was when that fails."""

import configparser
import os
import secrets
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
from support.instances import PROJECT, RunningInstance
from support.neighbours import Neighbours

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")


@pytest.fixture(scope="module")
def prod(
    podman: Podman, neighbours: Neighbours, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningInstance, tuple[str, ...]]]:
    """Production that is up, and the options of its `up`; its end leaves nothing."""
    environment = find_environment("prod")
    running = RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman, environment="prod")
    folder = neighbours.write_deploy_directory(tmp_path_factory.mktemp("site") / "prod", environment)
    options = (f"--deploy-dir={folder}", *neighbours.options(environment))
    try:
        typed = running.up(*options)
        assert typed.code == 0, typed.text
        yield running, options
    finally:
        running.down("--volumes")
        running.remove_settings()
    assert not running.remaining_resources()


def broken_release(folder: Path) -> str:
    """A repository with a tag whose authenticator ends the hub."""
    shutil.copytree(PROJECT / "packages" / "bricsauthenticator", folder)
    (folder / "src" / "bricsauthenticator" / "__init__.py").write_text("raise RuntimeError('a broken release')\n")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "x"), ("tag", "v9")):
        subprocess.run([*GIT, *words], cwd=folder, check=True)
    return f"bricsauthenticator=file://{folder}@v9"


def test_a_check_starts_nothing_and_tells_of_everything(
    deployed: Callable[[str], tuple[RunningInstance, tuple[str, ...]]], neighbours: Neighbours
) -> None:
    """prod.check finds all that is wrong at once, and nothing of an instance is there after it."""
    running, options = deployed("prod")

    good = running.invoke("prod.check", *options)
    folder = Path(options[0].partition("=")[2])
    (folder / "ssh_client_key").chmod(0o644)
    (folder / "ssh_known_hosts").write_text("other.example ssh-ed25519 AAAA\n")
    file = folder / "deploy-configmap.yaml"
    file.write_text(file.read_text().replace("jwtAudience", "jwtAudiense"))
    bad = running.invoke("prod.check", *options)

    assert good.code == 0, good.text
    # Without root, containers have a network that this machine is not in, which is told.
    assert os.getuid() or f"{neighbours.issuer.url} answers" in good.stdout
    assert "issuer" in good.stdout
    assert bad.code == 3
    for told in ("ssh_client_key", "ssh_known_hosts", "jwtAudiense", "did you mean 'jwtAudience'"):
        assert told in bad.stderr
    assert not running.remaining_resources()


def test_an_upgrade_keeps_notebooks_and_a_failed_one_goes_back(
    prod: tuple[RunningInstance, tuple[str, ...]], neighbours: Neighbours, tmp_path: Path
) -> None:
    """What runs is not changed by prod.up; prod.upgrade does it, and what fails is as if it had not been tried."""
    running, options = prod
    session = neighbours.log_in(running, USERS[1])
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
    neighbours.log_in(running, USERS[1]).server().stop()

    assert "nothing changed" in same.text, same.text
    assert (refused.code, "prod.upgrade" in refused.stderr) == (2, True), refused.text
    assert upgraded.code == 0, upgraded.text
    assert failed.code == 7, failed.text
    assert "a broken release" in failed.stderr
    assert "what ran before runs again" in failed.stderr
    assert state == "ready"
    assert (after_upgrade, after_failure) == ("20", "20")


def test_the_unit_starts_it_at_boot(prod: tuple[RunningInstance, tuple[str, ...]]) -> None:
    """What the unit's commands stop and start is ready again, with the port and names that it had."""
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


def test_production_is_not_removed_by_a_slip(prod: tuple[RunningInstance, tuple[str, ...]]) -> None:
    """Without a person who says yes, and without --yes, nothing is removed."""
    running, _ = prod

    typed = running.invoke("prod.down")

    assert typed.code == 2
    assert "add --yes" in typed.stderr
    assert running.status["state"] == "ready"
