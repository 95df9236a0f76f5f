"""Faults around the hub while servers run, and their permitted effects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from hubpod.client import Server, Session, SpawnFailed, SpawnRefused
from hubpod_harness.daemons import Daemon
from hubpod_harness.invariants import assert_invariants
from hubpod_harness.link import Link
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, require_issuer, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = [pytest.mark.faults, pytest.mark.hubpod]

NO_ANSWER = "Slurm does not say how job"
NOT_ANSWERED = "was not submitted: no answer within"
NOTICED_S = 40.0
READY_S = 180.0
SLOW_S = 1.0
LONG_WORK = "import time; time.sleep(12); 5 * 4"  # with the waits beside it, 1.5 times the SlurmdTimeout below
IMPATIENT = r"""
cp -r /etc/slurm /run/impatient
sed -i 's/^SlurmdTimeout=.*/SlurmdTimeout=15/' /run/impatient/slurm.conf
sed -i 's|slurmctld -D$|slurmctld -D -f /run/impatient/slurm.conf|' /run/service/slurmctld/run
"""
PATIENT = "cp /usr/share/hubpod/services/slurmctld/run /run/service/slurmctld/run; rm -r /run/impatient"
REPORTED = "MESSAGE_NODE_REGISTRATION_STATUS"
API_S = 1.0
FAULTS: dict[str, Callable[[Link], None]] = {
    "refused": Link.reset,
    "cut": Link.cut,
    "truncated": partial(Link.truncate, size=100),
    "late": partial(Link.delay, seconds=5),
}


@pytest.fixture(scope="module")
def fault_session(quick_stack: Stack) -> Iterator[Session]:
    """A session whose server runs during all faults of the quick stack."""
    users = quick_stack.pool.lease()
    yield quick_stack.hub.login_as(users[0])
    quick_stack.pool.release(users, of=__name__)


@pytest.fixture
def survivor(quick: Stack, fault_session: Session) -> Server:  # noqa: ARG001 - waits for the users of earlier tests
    """The running server of `fault_session`."""
    server = fault_session.server()
    return server if server.job_id and server.is_active() else fault_session.spawn(project=PROJECT)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_ssh_link_loses_no_server(quick: Stack, survivor: Server, fault: Callable[[Link], None]) -> None:
    """Failing queries lose no server, and the hub resumes its queries afterwards.

    A job without information is unknown, not gone.
    """
    link, before = quick.link("ssh"), len(quick.hub.log())

    with undo_after(link.restore):
        fault(link)
        wait_until("the failed query", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert survivor.is_active()
        assert survivor.execute("5 * 4") == "20"
        assert quick.hub.admin("GET", "users").elapsed.total_seconds() < API_S
        silent = len(quick.hub.log())

    answered = f"Job {survivor.job_id} of"
    wait_until("a successful query", lambda: answered in quick.hub.log()[silent:], NOTICED_S)
    assert_invariants(quick)
    assert survivor.is_active()


def test_a_slow_ssh_link_makes_a_spawn_slower_only(stack: Stack, slurm: SlurmProbe, session: Session) -> None:
    """A server starts although each connection to the Slurm host takes a second longer."""
    link = stack.link("ssh")

    with undo_after(link.restore):
        link.delay(SLOW_S)
        server = session.spawn(project=PROJECT, deadline_s=60)

    assert slurm.job(server.job_id).state == "RUNNING"
    assert server.execute("5 * 4") == "20"
    assert_invariants(stack)


def test_servers_survive_without_slurmctld_and_a_spawn_fails(
    quick: Stack, survivor: Server, quick_session: Session, quick_user: User
) -> None:
    """While slurmctld is down, servers respond and spawns fail with the reason and no job."""
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with undo_after(controller.start, controller.wait_until_up):
        controller.stop()
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            quick_session.spawn(project=PROJECT, deadline_s=60)
        wait_until("the failed query", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert survivor.is_active()
        assert survivor.execute("5 * 4") == "20"

    assert "could not be submitted" in failure.value.sentence
    assert not quick.slurm.jobs(quick_user.account(PROJECT))
    assert quick_session.spawn(project=PROJECT).execute("5 * 4") == "20"
    assert survivor.is_active()
    assert quick.slurm.job(survivor.job_id).state == "RUNNING"
    assert_invariants(quick)


@contextmanager
def shorten_node_timeout(stack: Stack, controller: Daemon) -> Iterator[None]:
    """Run slurmctld with half the SlurmdTimeout.

    With less, the node of a busy machine registers too late.
    """
    controller.stop()
    assert stack.execute("slurm", ("sh", "-c", IMPATIENT)).ok
    controller.start()
    controller.wait_until_up()
    # A controller that has just started waits for the node's first registration before it can time out.
    wait_until("the node's report to the new controller", lambda: stack.slurm.rpc_counts().get(REPORTED, 0), NOTICED_S)
    with undo_after(controller.stop, lambda: stack.execute("slurm", ("sh", "-c", PATIENT)), controller.start):
        yield
    controller.wait_until_up()


def test_a_hanging_slurmctld_loses_no_server_and_no_job(
    quick: Stack, survivor: Server, users: Callable[..., list[User]]
) -> None:
    """A slurmctld that hangs longer than its node timeout loses no node and no server.

    Slurm accepts one submission after the hub's timeout. The hub finds this job, and assigns it to the server.
    """
    submits, fresh = users(2, of=quick)
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with shorten_node_timeout(quick, controller):
        with undo_after(controller.unpause, controller.wait_until_up):
            controller.pause()
            wait_until("the failed query", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
            assert survivor.execute(LONG_WORK) == "20"
            assert survivor.is_active()
            server = quick.hub.login_as(submits).submit(project=PROJECT)
            events = server.progress(READY_S)
            next(events)  # the page is open; the hub reports nothing about a start that has ended
            wait_until("the hub's timeout message", lambda: NOT_ANSWERED in quick.hub.log()[before:], NOTICED_S)
        assert list(events)[-1].ready
        assert server.execute("5 * 4") == "20"
        assert [job.id for job in quick.slurm.jobs(submits.account(PROJECT))] == [server.job_id]
        assert_invariants(quick, fresh=fresh)
        assert quick.slurm.job(survivor.job_id).state == "RUNNING"

    assert survivor.is_active()


def test_a_server_that_survived_can_be_stopped(quick: Stack, survivor: Server) -> None:
    """After all these faults, a stop still ends the server's job."""
    account = quick.slurm.job(survivor.job_id).user

    survivor.stop()

    quick.slurm.wait_until_no_jobs(account, deadline_s=10)


@pytest.mark.hubpod_login("JWT")
def test_users_log_in_while_the_issuer_link_is_cut(quick: Stack, quick_user: User) -> None:
    """While the issuer is unreachable, the hub uses its last valid keys."""
    issuer = require_issuer(quick)
    quick.hub.login(issuer.mint(quick_user))
    token, link = issuer.mint(quick_user), quick.link("issuer")

    with undo_after(link.restore):
        link.cut()
        session = quick.hub.login(token)

    assert session.user == quick_user.name
    assert_invariants(quick)
