"""Hub and proxy come and go; servers stay."""

import pytest

from harness.hub import Hub
from harness.invariants import assert_invariants
from harness.slurm import SlurmProbe
from harness.stack import Stack
from harness.suite.common import PROJECT, restored, until
from harness.users import User
from hubpod.client import HubError, Server, Session

ROUTES_S = 15.0  # ten after the proxy's death, and its own start


def answers(server: Server) -> bool:
    """Whether the way to the server is open and its kernels run."""
    try:
        return server.execute("5 * 4") == "20"
    except HubError:
        return False


def test_a_restarted_hub_keeps_its_servers(stack: Stack, slurm: SlurmProbe, session: Session) -> None:
    """While the hub restarts, an open kernel stays connected and keeps its memory, and the job runs on."""
    server = session.spawn(project=PROJECT)
    with server.kernel() as kernel:
        kernel.execute("before = 41")

        stack.restart("jupyterhub")

        assert kernel.execute("before + 1") == "42"
    stack.wait_until_ready()
    assert server.is_active()
    assert slurm.job(server.job_id).state == "RUNNING"
    assert answers(server)
    assert_invariants(stack)


@pytest.mark.usefixtures("drained")
def test_a_hub_killed_while_a_job_waits_leaves_no_orphan(
    stack: Stack, hub: Hub, slurm: SlurmProbe, session: Session, user: User
) -> None:
    """A hub that dies while a job is in the queue knows afterwards whose it is, and the person gets a server."""
    session.submit({})
    until("the job in the queue", lambda: slurm.jobs(user.account(PROJECT)))

    with restored(lambda: stack.start("jupyterhub"), stack.wait_until_ready):
        stack.kill("jupyterhub")
        slurm.resume()

    assert_invariants(stack)
    assert len(slurm.jobs(user.account(PROJECT))) <= 1
    again = hub.login_as(user)
    if not again.server().is_active():
        again.spawn(project=PROJECT)
    assert until("a server that answers", lambda: answers(again.server()))


def test_a_killed_proxy_gets_its_routes_back(stack: Stack, session: Session) -> None:
    """After the proxy died, its successor leads to the hub and to the servers that were running."""
    server = session.spawn(project=PROJECT)

    stack.kill("proxy")
    stack.start("proxy")

    until("the way to the server through the new proxy", lambda: answers(server), ROUTES_S)
    assert_invariants(stack)
