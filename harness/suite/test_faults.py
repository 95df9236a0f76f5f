"""What goes wrong around the hub while servers run, and what must not be lost by it."""

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

pytestmark = pytest.mark.faults

NO_ANSWER = "Slurm does not say how job"
NOT_ANSWERED = "was not submitted: no answer within"
NOTICED_S = 40.0
READY_S = 180.0
SLOW_S = 1.0
LONG_WORK = "import time; time.sleep(12); 5 * 4"  # with the waits beside it, half as long again as SlurmdTimeout below
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
def patient(quick_stack: Stack) -> Iterator[Session]:
    """Somebody whose server lives through the faults of the quick stack, one after the other."""
    users = quick_stack.pool.lease()
    yield quick_stack.hub.login_as(users[0])
    quick_stack.pool.release(users, of=__name__)


@pytest.fixture
def survivor(quick: Stack, patient: Session) -> Server:  # noqa: ARG001 - when the earlier tests' users have ended
    """That server, which each fault finds running."""
    server = patient.server()
    return server if server.job_id and server.is_active() else patient.spawn(project=PROJECT)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_ssh_link_loses_no_server(quick: Stack, survivor: Server, fault: Callable[[Link], None]) -> None:
    """While the hub cannot ask for jobs they are unknown, not gone: the servers stay, and it asks again afterwards."""
    link, before = quick.link("ssh"), len(quick.hub.log())

    with undo_after(link.restore):
        fault(link)
        wait_until("the hub's word that it cannot ask", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert survivor.is_active()
        assert survivor.execute("5 * 4") == "20"
        assert quick.hub.admin("GET", "users").elapsed.total_seconds() < API_S
        silent = len(quick.hub.log())

    answered = f"Job {survivor.job_id} of"
    wait_until("the hub's word that it can ask again", lambda: answered in quick.hub.log()[silent:], NOTICED_S)
    assert_invariants(quick)
    assert survivor.is_active()


def test_a_slow_ssh_link_makes_a_spawn_slower_only(stack: Stack, slurm: SlurmProbe, session: Session) -> None:
    """When each connection to the Slurm host takes a second more, a server starts all the same."""
    link = stack.link("ssh")

    with undo_after(link.restore):
        link.delay(SLOW_S)
        server = session.spawn(project=PROJECT, deadline_s=60)

    assert slurm.job(server.job_id).state == "RUNNING"
    assert server.execute("5 * 4") == "20"
    assert_invariants(stack)


def test_without_slurms_controller_servers_stay_and_a_spawn_says_so(
    quick: Stack, survivor: Server, quick_session: Session, quick_user: User
) -> None:
    """While the controller is down servers answer, a spawn says why it fails and leaves no job; then all is well."""
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with undo_after(controller.start, controller.wait_until_up):
        controller.stop()
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            quick_session.spawn(project=PROJECT, deadline_s=60)
        wait_until("the hub's word that Slurm is silent", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert survivor.is_active()
        assert survivor.execute("5 * 4") == "20"

    assert "could not be submitted" in failure.value.sentence
    assert not quick.slurm.jobs(quick_user.account(PROJECT))
    assert quick_session.spawn(project=PROJECT).execute("5 * 4") == "20"
    assert survivor.is_active()
    assert quick.slurm.job(survivor.job_id).state == "RUNNING"
    assert_invariants(quick)


@contextmanager
def impatient(stack: Stack, controller: Daemon) -> Iterator[None]:
    """The controller with half the SlurmdTimeout; with less, a busy machine's node answers too late for it."""
    controller.stop()
    assert stack.execute("slurm", ("sh", "-c", IMPATIENT)).ok
    controller.start()
    controller.wait_until_up()
    # One that has just started has heard nothing of its node yet, and so has nothing to miss.
    wait_until("the node's report to the new controller", lambda: stack.slurm.rpc_counts().get(REPORTED, 0), NOTICED_S)
    with undo_after(controller.stop, lambda: stack.execute("slurm", ("sh", "-c", PATIENT)), controller.start):
        yield
    controller.wait_until_up()


def test_a_controller_that_hangs_for_long_loses_no_server_and_no_job(
    quick: Stack, survivor: Server, users: Callable[..., list[User]]
) -> None:
    """A controller that was away for longer than it grants its nodes takes none for lost, and the hub no server.

    A submission that the hub has given up and Slurm then takes is found, and its one job becomes the server's.
    """
    submits, fresh = users(2, of=quick)
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with impatient(quick, controller):
        with undo_after(controller.unpause, controller.wait_until_up):
            controller.pause()
            wait_until("the hub's word that Slurm is silent", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
            assert survivor.execute(LONG_WORK) == "20"
            assert survivor.is_active()
            server = quick.hub.login_as(submits).submit(project=PROJECT)
            events = server.progress(READY_S)
            next(events)  # the page is open, as the hub tells nothing about a start that is over
            wait_until("the hub's timeout message", lambda: NOT_ANSWERED in quick.hub.log()[before:], NOTICED_S)
        assert list(events)[-1].ready
        assert server.execute("5 * 4") == "20"
        assert [job.id for job in quick.slurm.jobs(submits.account(PROJECT))] == [server.job_id]
        assert_invariants(quick, fresh=fresh)
        assert quick.slurm.job(survivor.job_id).state == "RUNNING"

    assert survivor.is_active()


def test_a_server_that_survived_can_be_stopped(quick: Stack, survivor: Server) -> None:
    """After all these faults the server's job still ends with it."""
    account = quick.slurm.job(survivor.job_id).user

    survivor.stop()

    quick.slurm.wait_until_no_jobs(account, deadline_s=10)


@pytest.mark.hubpod_login("JWT")
def test_a_cut_issuer_link_keeps_nobody_out(quick: Stack, quick_user: User) -> None:
    """While the issuer cannot be reached, its last good keys serve."""
    issuer = require_issuer(quick)
    quick.hub.login(issuer.mint(quick_user))
    token, link = issuer.mint(quick_user), quick.link("issuer")

    with undo_after(link.restore):
        link.cut()
        session = quick.hub.login(token)

    assert session.user == quick_user.name
    assert_invariants(quick)
