"""Restarts of hub and proxy, which servers survive."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import pytest

from hubpod.client import HubError, LoginRefused, Server, Session
from hubpod_harness.hub import Hub
from hubpod_harness.invariants import assert_invariants
from hubpod_harness.issuer import Issuer
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import (
    PROJECT,
    SUBMIT_JOB,
    accepts_token,
    home_directory,
    run_as_account,
    undo_after,
    wait_until,
)
from hubpod_harness.users import User

pytestmark = pytest.mark.faults

HUB_S = 60.0
ROUTES_S = 15.0  # ten seconds after the proxy died, plus its own start
ENDED_S = 60.0
UNAVAILABLE = 503
NO_GPU = {"ngpus": "0"}
DATABASE = "/srv/jupyterhub/jupyterhub.sqlite"
FOREIGN_KEY = "--comment=jupyterhub-01234567-0123456789abcdef"


def runs_kernels(server: Server) -> bool:
    """Return whether the server is reachable and runs kernels."""
    try:
        return server.execute("5 * 4") == "20"
    except HubError:
        return False


@pytest.fixture(scope="module")
def lasting_user(stacks: Callable[..., Stack]) -> Iterator[tuple[User, Session]]:
    """A user with a server during the restarts of hub and proxy, and the user's session."""
    stack = stacks()
    users = stack.pool.lease()
    yield users[0], stack.hub.login_as(users[0])
    stack.pool.release(users, of=__name__)


@pytest.fixture
def survivor(lasting_user: tuple[User, Session]) -> Server:
    """The running server of `lasting_user`."""
    _, session = lasting_user
    server = session.server()
    return server if server.job_id and server.is_active() else session.spawn(project=PROJECT)


@dataclass(frozen=True, kw_only=True)
class HubRestart:
    """Observations of a graceful restart of the hub, while the token issuer was down."""

    remembered: str  # result of a kernel that stayed connected
    refusal: HubError | None  # error of a login during the restart; None with a login form


@pytest.fixture(scope="module")
def hub_restart(stacks: Callable[..., Stack], lasting_user: tuple[User, Session]) -> HubRestart:
    """A restart of the hub, shared by the first tests of this module."""
    stack, (user, session) = stacks(), lasting_user
    server, issuer = session.spawn(project=PROJECT), stack.issuer
    token = issuer.mint(user) if issuer else ""
    with undo_after(issuer.up) if issuer else nullcontext(), server.kernel() as kernel:
        kernel.execute("before = 41")
        if issuer:
            issuer.down()
        stack.restart("jupyterhub")
        remembered = kernel.execute("before + 1")
        # Without the issuer the stack is not ready.
        wait_until("the hub", lambda: stack.hub.admin("GET", "").ok, HUB_S)
        return HubRestart(remembered=remembered, refusal=login_refusal(stack.hub, token) if issuer else None)


def login_refusal(hub: Hub, token: str) -> HubError:
    """Return the error of a refused login."""
    with pytest.raises(LoginRefused) as refusal:
        hub.login(token)
    return refusal.value


def test_a_restarted_hub_keeps_its_servers(
    stack: Stack, slurm: SlurmProbe, hub_restart: HubRestart, lasting_user: tuple[User, Session]
) -> None:
    """During a restart of the hub, an open kernel stays connected and the job continues."""
    server = lasting_user[1].server()

    assert hub_restart.remembered == "42"
    assert server.is_active()
    assert slurm.job(server.job_id).state == "RUNNING"
    assert runs_kernels(server)
    assert_invariants(stack)


@pytest.mark.hubpod
@pytest.mark.hubpod_login("JWT")
def test_a_hub_without_keys_reports_it_and_recovers(
    hub: Hub, issuer: Issuer, hub_restart: HubRestart, user: User
) -> None:
    """A hub started without an issuer reports that, and accepts logins once it is back."""
    assert hub_restart.refusal
    assert hub_restart.refusal.status == UNAVAILABLE
    assert "try again" in hub_restart.refusal.sentence
    wait_until("a login once the issuer is back", lambda: accepts_token(hub, issuer.mint(user)), 10)


def test_a_killed_proxy_gets_its_routes_back(stack: Stack, survivor: Server) -> None:
    """After the death of the proxy, a new one has routes to the hub and to running servers."""
    stack.kill("proxy")
    stack.start("proxy")

    wait_until("the server's route through the new proxy", lambda: runs_kernels(survivor), ROUTES_S)
    assert_invariants(stack)


@contextmanager
def block_port_report(stack: Stack, account: str) -> Iterator[None]:
    """Prevent the account's jobs from reporting their port.

    The script that activates their environment waits.
    """
    prefix = f"{home_directory(account)}/prefix"
    with undo_after(lambda: run_as_account(stack, account, "rm", "-rf", prefix)):
        run_as_account(stack, account, "mkdir", "-p", f"{prefix}/bin")
        run_as_account(stack, account, "sh", "-c", f"echo 'sleep 600' > {prefix}/bin/activate")
        yield


@pytest.mark.hubpod
@pytest.mark.xdist_group("killed hub")  # or the process with its stack takes much longer than the other
def test_a_hub_killed_at_any_moment_loses_nothing(quick: Stack, users: Callable[..., list[User]]) -> None:
    """Each job gets its server back or ends, at whatever moment the hub is killed.

    The moments: before sbatch, while the job is pending, before it reports its port, when it is ready, while it stops.
    """
    ready, stops, stopping, portless, waits, submits = people = users(6, of=quick)
    hub, slurm, sessions = quick.hub, quick.slurm, {user: quick.hub.login_as(user) for user in people}
    mute, compute, link = portless.account(PROJECT), slurm.daemon("slurmd"), quick.link("ssh")

    def spawn(user: User) -> Server:
        return sessions[user].spawn(NO_GPU, project=PROJECT)

    def stop(user: User) -> object:
        return hub.admin("DELETE", f"users/{user.name}/server")

    with ThreadPoolExecutor() as pool, block_port_report(quick, mute), undo_after(slurm.resume):
        kept, _, ending = pool.map(spawn, (ready, stops, stopping))
        sessions[portless].submit(NO_GPU, project=PROJECT)
        wait_until("a job without a port", lambda: [job for job in slurm.jobs(mute) if job.state == "RUNNING"])
        with undo_after(link.restore, compute.unpause, lambda: quick.start("jupyterhub"), quick.wait_until_ready):
            slurm.drain()
            sessions[waits].submit(NO_GPU, project=PROJECT)
            wait_until("a job in the queue", lambda: slurm.jobs(waits.account(PROJECT)))
            compute.pause()
            pool.submit(stop, stopping)
            wait_until("a job that is cancelled", lambda: slurm.job(ending.job_id).state == "COMPLETING")
            link.cut()
            pool.submit(stop, stops)
            wait_until("a stop under way", lambda: hub.servers_of(stops.name)[""]["pending"] == "stop")
            before = len(hub.log())
            sessions[submits].submit(NO_GPU, project=PROJECT)
            wait_until("a key that is saved", lambda: f"Submitting the job of {submits.name}" in hub.log()[before:])
            quick.kill("jupyterhub")
            slurm.resume()

        for user in (stops, stopping, portless, waits, submits):
            slurm.wait_until_no_jobs(user.account(PROJECT), ENDED_S)
        assert_invariants(quick, fresh=waits)
        with pytest.raises(HubError) as error:
            sessions[portless].server().open()
    assert "restarted while the server was starting" in error.value.sentence
    assert slurm.job(kept.job_id).state == "RUNNING"
    assert runs_kernels(kept)


@pytest.mark.hubpod
def test_jobs_unknown_to_a_new_database_end(
    stack: Stack, hub: Hub, slurm: SlurmProbe, lasting_user: tuple[User, Session], survivor: Server
) -> None:
    """After the loss of the database, jobs of unknown servers end, and other jobs stay."""
    user, _ = lasting_user
    account, lost = user.account(PROJECT), survivor.job_id
    foreign = run_as_account(stack, account, *SUBMIT_JOB, FOREIGN_KEY).stdout.strip()
    stack.pool.settle()  # users of earlier tests must be gone while the hub knows their servers

    with undo_after(lambda: slurm.cancel(foreign)):
        with undo_after(lambda: stack.start("jupyterhub"), stack.wait_until_ready):
            assert stack.execute("jupyterhub", ("rm", DATABASE)).ok
            stack.kill("jupyterhub")
        slurm.wait_for(lost, "CANCELLED", "COMPLETED", deadline_s=ENDED_S)

        assert not hub.servers_of(user.name)
        assert slurm.job(foreign).state == "RUNNING"
    assert_invariants(stack)
    assert runs_kernels(hub.login_as(user).spawn(project=PROJECT))
