"""Each environment, deployed like a site: from an empty machine to a notebook and back."""

from collections.abc import Callable

import pytest

from hubpod.environments import ENVIRONMENTS, Environment
from hubpod_harness.external_services import USERS
from support.external_services import ExternalServices
from support.instances import RunningInstance

USER = USERS[0]
END_OF_TUNNEL = """
import os, pathlib
for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if each.read_bytes().startswith(b"sshd-session: zenith"):
        os.kill(int(each.parent.name), 9)
"""


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_a_user_gets_a_notebook(
    external_services: ExternalServices,
    deploy: Callable[[str], tuple[RunningInstance, tuple[str, ...]]],
    environment: Environment,
) -> None:
    """After up and login, a spawn on real Slurm gives a kernel. Down leaves nothing behind."""
    running, options = deploy(environment.name)

    up = running.up(*options)
    assert up.code == 0, up.text
    server = external_services.log_in(running, USER).spawn(project="project1")
    where = server.execute("import getpass, os; print(getpass.getuser(), os.environ['SLURM_JOB_ID'])")
    server.stop()
    down = running.down("--volumes")

    assert where.split()[0] == f"{USER}.project1"
    assert where.split()[1].isdecimal()
    assert down.code == 0, down.text
    assert not running.remaining_resources()


def test_only_the_tunnel_reaches_a_hub_behind_one(
    deploy: Callable[[str], tuple[RunningInstance, tuple[str, ...]]],
) -> None:
    """No port is published, and other pods in the network reach the hub's API only, which accepts no login."""
    running, options = deploy("dev_realauth_zenithclient")
    up = running.up(*options)
    assert up.code == 0, up.text

    assert "through the Zenith tunnel" in up.stdout
    assert running.status["ports"] == []
    listening = running.execute("jupyterhub", "cat", "/proc/net/tcp", "/proc/net/tcp6")
    for port in (8000, 8001):
        addresses = {line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line}
        assert addresses == {f"0100007F:{port:04X}"}, port


def test_a_broken_tunnel_is_restored(
    external_services: ExternalServices, deploy: Callable[[str], tuple[RunningInstance, tuple[str, ...]]]
) -> None:
    """The client exits with its connection to the Zenith server, and the pod restarts it."""
    running, options = deploy("dev_realauth_zenithclient")
    up = running.up(*options)
    assert up.code == 0, up.text
    server = f"{external_services.site.instance.resource}-zenith-server"
    external_services.podman.run("exec", "--privileged", server, "python3", "-c", END_OF_TUNNEL)

    again = running.up(*options)

    assert again.code == 0, again.text
    assert external_services.log_in(running, USER).user == USER
