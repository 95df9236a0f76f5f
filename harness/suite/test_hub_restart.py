"""Hub and proxy come and go; servers stay."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from harness.hub import Hub
from harness.invariants import assert_invariants
from harness.slurm import SlurmProbe
from harness.stack import Stack
from harness.suite.common import PROJECT, as_account, home_of, restored, until
from harness.users import User
from hubpod.client import HubError, Server, Session

ROUTES_S = 15.0  # ten after the proxy's death, and its own start
ENDED_S = 60.0
NO_GPU = {"ngpus": "0"}
DATABASE = "/srv/jupyterhub/jupyterhub.sqlite"
FOREIGN_JOB = ("sbatch", "--parsable", "--chdir=/", "--output=/dev/null", "--wrap=sleep 600")
FOREIGN_KEY = "--comment=jupyterhub-01234567-0123456789abcdef"


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


@contextmanager
def port_kept_back(stack: Stack, account: str) -> Iterator[None]:
    """Let the account's jobs run and never report a port: what reports it reads ~/.netrc, which never ends."""
    file = f"{home_of(account)}/.netrc"
    with restored(lambda: as_account(stack, account, "rm", "-f", file)):
        as_account(stack, account, "mkfifo", "-m", "0600", file)
        yield


def test_a_hub_killed_at_any_moment_loses_nothing(
    stack: Stack, hub: Hub, slurm: SlurmProbe, users: Callable[..., list[User]]
) -> None:
    """Before sbatch, without a port, ready, stopping: after its restart each job is a server's, or has ended."""
    ready, stops, stopping, portless, submits = people = users(5)
    sessions = {user: hub.login_as(user) for user in people}
    mute, compute, link = portless.account(PROJECT), slurm.daemon("slurmd"), stack.link("ssh")

    def spawn(user: User) -> Server:
        return sessions[user].spawn(NO_GPU, project=PROJECT)

    def stop(user: User) -> object:
        return hub.admin("DELETE", f"users/{user.name}/server")

    with ThreadPoolExecutor() as pool, port_kept_back(stack, mute):
        kept, _, ending = pool.map(spawn, (ready, stops, stopping))
        sessions[portless].submit(NO_GPU, project=PROJECT)
        until("a job without a port", lambda: [job for job in slurm.jobs(mute) if job.state == "RUNNING"])
        with restored(link.restore, compute.unpause, lambda: stack.start("jupyterhub"), stack.wait_until_ready):
            compute.pause()
            pool.submit(stop, stopping)
            until("a job that is cancelled", lambda: slurm.job(ending.job_id).state == "COMPLETING")
            link.cut()
            pool.submit(stop, stops)
            until("a stop under way", lambda: hub.servers_of(stops.name)[""]["pending"] == "stop")
            before = len(hub.log())
            sessions[submits].submit(NO_GPU, project=PROJECT)
            until("a key that is saved", lambda: f"Submitting the job of {submits.name}" in hub.log()[before:])
            stack.kill("jupyterhub")

        for user in (stops, stopping, portless, submits):
            slurm.wait_until_no_jobs(user.account(PROJECT), ENDED_S)
        with pytest.raises(HubError) as told:
            sessions[portless].server().open()
        assert_invariants(stack, fresh=stopping)
    assert "restarted while the server was starting" in told.value.sentence
    assert slurm.job(kept.job_id).state == "RUNNING"
    assert answers(kept)


def test_jobs_that_a_new_database_does_not_know_end(
    stack: Stack, hub: Hub, slurm: SlurmProbe, session: Session, user: User
) -> None:
    """After the database was lost, the servers that nobody could use end, and jobs of others stay."""
    server, account = session.spawn(project=PROJECT), user.account(PROJECT)
    foreign = as_account(stack, account, *FOREIGN_JOB, FOREIGN_KEY).stdout.strip()
    stack.pool.settle()  # earlier tests' users have gone, while the hub knows their servers

    with restored(lambda: slurm.cancel(foreign)):
        with restored(lambda: stack.start("jupyterhub"), stack.wait_until_ready):
            assert stack.execute("jupyterhub", ("rm", DATABASE)).ok
            stack.kill("jupyterhub")
        slurm.wait_for(server.job_id, "CANCELLED", "COMPLETED", deadline_s=ENDED_S)

        assert not hub.servers_of(user.name)
        assert slurm.job(foreign).state == "RUNNING"
    assert_invariants(stack)
    assert answers(hub.login_as(user).spawn(project=PROJECT))


def test_a_killed_proxy_gets_its_routes_back(stack: Stack, session: Session) -> None:
    """After the proxy died, its successor leads to the hub and to the servers that were running."""
    server = session.spawn(project=PROJECT)

    stack.kill("proxy")
    stack.start("proxy")

    until("the way to the server through the new proxy", lambda: answers(server), ROUTES_S)
    assert_invariants(stack)
