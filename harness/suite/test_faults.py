"""What goes wrong around the hub while servers run, and what must not be lost by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from harness.daemons import Daemon
from harness.invariants import assert_invariants
from harness.link import Link
from harness.slurm import SlurmProbe
from harness.stack import Stack
from harness.suite.common import PROJECT, issuer_of, restored, until
from harness.users import User
from hubpod.client import Session, SpawnFailed, SpawnRefused

NO_ANSWER = "Slurm does not say how job"
NOT_ANSWERED = "was not submitted: no answer within"
NOTICED_S = 40.0
READY_S = 180.0
SLOW_S = 1.0
LONG_WORK = "import time; time.sleep(15); 5 * 4"  # three times as long as the controller below has patience
IMPATIENT = r"""
cp -r /etc/slurm /run/impatient
sed -i 's/^SlurmdTimeout=.*/SlurmdTimeout=5/' /run/impatient/slurm.conf
sed -i 's|slurmctld -D$|slurmctld -D -f /run/impatient/slurm.conf|' /run/service/slurmctld/run
"""
PATIENT = "cp /usr/share/hubpod/services/slurmctld/run /run/service/slurmctld/run; rm -r /run/impatient"
API_S = 1.0
FAULTS: dict[str, Callable[[Link], None]] = {
    "refused": Link.reset,
    "cut": Link.cut,
    "truncated": partial(Link.truncate, size=100),
    "late": partial(Link.delay, seconds=5),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_ssh_link_loses_no_server(
    quick: Stack, quick_session: Session, quick_user: User, fault: Callable[[Link], None]
) -> None:
    """While the hub cannot ask for jobs they are unknown, not gone: the servers stay, and can be stopped afterwards."""
    server = quick_session.spawn(project=PROJECT)
    link, before = quick.link("ssh"), len(quick.hub.log())

    with restored(link.restore):
        fault(link)
        until("the hub's word that it cannot ask", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert server.is_active()
        assert server.execute("5 * 4") == "20"
        assert quick.hub.admin("GET", "users").elapsed.total_seconds() < API_S

    assert_invariants(quick)
    assert server.is_active()
    server.stop()
    quick.slurm.wait_until_no_jobs(quick_user.account(PROJECT), deadline_s=10)


def test_a_slow_ssh_link_makes_a_spawn_slower_only(stack: Stack, slurm: SlurmProbe, session: Session) -> None:
    """When each connection to the Slurm host takes a second more, a server starts all the same."""
    link = stack.link("ssh")

    with restored(link.restore):
        link.delay(SLOW_S)
        server = session.spawn(project=PROJECT, deadline_s=60)

    assert slurm.job(server.job_id).state == "RUNNING"
    assert server.execute("5 * 4") == "20"
    assert_invariants(stack)


def test_without_slurms_controller_a_spawn_says_so(
    stack: Stack, slurm: SlurmProbe, session: Session, user: User
) -> None:
    """While the controller is down a spawn fails with that, no job turns up later, and then all is well again."""
    stack.pool.settle()
    controller = slurm.daemon("slurmctld")

    with restored(controller.start, controller.wait_until_up):
        controller.stop()
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            session.spawn(project=PROJECT, deadline_s=60)

    assert "could not be submitted" in failure.value.sentence
    assert not slurm.jobs(user.account(PROJECT))
    assert session.spawn(project=PROJECT).execute("5 * 4") == "20"
    assert_invariants(stack)


def test_a_lost_answer_to_a_submission_loses_no_job(quick: Stack, quick_session: Session, quick_user: User) -> None:
    """When the hub has given up a submission that Slurm then takes, the one job is found and becomes the server's."""
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with restored(controller.unpause, controller.wait_until_up):
        controller.pause()
        server = quick_session.submit(project=PROJECT)
        until("the hub's word that it got no answer", lambda: NOT_ANSWERED in quick.hub.log()[before:], NOTICED_S)

    assert list(server.progress(READY_S))[-1].ready
    assert server.execute("5 * 4") == "20"
    assert [job.id for job in quick.slurm.jobs(quick_user.account(PROJECT))] == [server.job_id]
    assert_invariants(quick)


@contextmanager
def impatient(stack: Stack, controller: Daemon) -> Iterator[None]:
    """The controller with a SlurmdTimeout of seconds: twenty of them are to it what two minutes are to others."""
    controller.stop()
    assert stack.execute("slurm", ("sh", "-c", IMPATIENT)).ok
    controller.start()
    controller.wait_until_up()
    with restored(controller.stop, lambda: stack.execute("slurm", ("sh", "-c", PATIENT)), controller.start):
        yield
    controller.wait_until_up()


def test_a_controller_that_hangs_for_long_loses_no_server(
    quick: Stack, quick_session: Session, users: Callable[..., list[User]]
) -> None:
    """A controller that was away for longer than it grants its nodes takes none for lost, and the hub no server."""
    (fresh,), server = users(1, of=quick), quick_session.spawn(project=PROJECT)
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with impatient(quick, controller):
        with restored(controller.unpause, controller.wait_until_up):
            controller.pause()
            until("the hub's word that Slurm is silent", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
            assert server.execute(LONG_WORK) == "20"
            assert server.is_active()
        assert_invariants(quick, fresh=fresh)
        assert quick.slurm.job(server.job_id).state == "RUNNING"

    assert server.is_active()


def test_a_controller_that_is_down_loses_no_server(quick: Stack, quick_session: Session) -> None:
    """While the controller is down, the servers are kept and answer."""
    server = quick_session.spawn(project=PROJECT)
    controller, before = quick.slurm.daemon("slurmctld"), len(quick.hub.log())

    with restored(controller.start, controller.wait_until_up):
        controller.stop()
        until("the hub's word that Slurm is silent", lambda: NO_ANSWER in quick.hub.log()[before:], NOTICED_S)
        assert server.is_active()
        assert server.execute("5 * 4") == "20"

    assert server.is_active()
    assert quick.slurm.job(server.job_id).state == "RUNNING"
    assert_invariants(quick)


@pytest.mark.hubpod_login("JWT")
def test_a_cut_issuer_link_keeps_nobody_out(quick: Stack, quick_user: User) -> None:
    """While the issuer cannot be reached, its last good keys serve."""
    issuer = issuer_of(quick)
    quick.hub.login(issuer.mint(quick_user))
    token, link = issuer.mint(quick_user), quick.link("issuer")

    with restored(link.restore):
        link.cut()
        session = quick.hub.login(token)

    assert session.user == quick_user.name
    assert_invariants(quick)
