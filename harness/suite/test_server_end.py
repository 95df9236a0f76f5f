"""Ends of servers: by their owner, by Slurm, by themselves, or before their start."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hubpod.client import HubError, Server, Session, SpawnFailed, SpawnRefused
from hubpod_harness.hub import Hub
from hubpod_harness.invariants import assert_invariants
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = pytest.mark.faults

NOTICED_S = 20.0
REASON_S = 30.0
READY_S = 120.0
TIME_LIMIT_S = 60.0  # Slurm compares times with limits every half minute
CLICKS = 5
CREATED, ACCEPTED, BAD_REQUEST, NOT_RUNNING = 201, 202, 400, 424
BROKEN_CONFIG = "raise SystemExit('broken on purpose')"
BREAK_LOGIN_SCRIPTS = """
cd && mkdir kept && mv .bash* .profile kept
for file in .bash_profile .bash_login .bash_logout .bashrc .profile; do
  echo 'echo garbage; echo garbage >&2; sleep 600; exit 1' >$file
done
"""
MEND_LOGIN_SCRIPTS = "cd && rm -f .bash* .profile && mv kept/.[!.]* . && rmdir kept"


def test_concurrent_requests_start_one_job(hub: Hub, slurm: SlurmProbe, session: Session, user: User) -> None:
    """Concurrent requests for one server start it once. After a stop its job ends gracefully."""
    form = session.spawn_form()
    field = form.field("brics_project")
    assert field is not None
    options = {"brics_project": field.choices[0].value}

    with ThreadPoolExecutor() as pool:
        requested = [pool.submit(hub.admin, "POST", f"users/{user.name}/server", options) for _ in range(CLICKS)]

    assert {each.result().status_code for each in requested} <= {CREATED, ACCEPTED, BAD_REQUEST}
    server = session.server()
    assert list(server.progress(READY_S))[-1].ready
    assert [job.id for project in user.projects for job in slurm.jobs(user.account(project))] == [server.job_id]

    server.stop()

    slurm.wait_until_no_jobs(user.account(PROJECT), deadline_s=10)
    assert slurm.job(server.job_id).state in {"COMPLETED", "CANCELLED"}


def wait_for_end_error(server: Server) -> HubError:
    """Wait until the hub detects the end of the job, and return the error on the server's page."""
    wait_until("the end of the server", lambda: not server.is_active(), NOTICED_S)
    with pytest.raises(HubError) as error:
        server.open()
    return error.value


@pytest.mark.hubpod
def test_a_job_that_slurm_ended_is_explained(quick: Stack, users: Callable[..., list[User]]) -> None:
    """The page states that a job was cancelled or timed out. The user can start again."""
    sessions = [quick.hub.login_as(user) for user in users(2, of=quick)]
    with ThreadPoolExecutor() as pool:
        short, late = pool.map(lambda session: session.spawn(project=PROJECT), sessions)
    update = ("scontrol", "update", f"JobId={late.job_id}", "EndTime=now+2seconds")
    assert quick.execute("slurm", update).ok
    cancelled = short.job_id
    quick.slurm.cancel(cancelled)

    error = wait_for_end_error(short)

    assert error.status == NOT_RUNNING
    assert f"Job {cancelled} ended: it was cancelled (CANCELLED" in error.sentence
    again = sessions[0].spawn(project=PROJECT)
    assert again.job_id != cancelled
    assert again.execute("5 * 4") == "20"
    quick.slurm.wait_for(late.job_id, "TIMEOUT", deadline_s=TIME_LIMIT_S)
    assert "its time was over (TIMEOUT" in wait_for_end_error(late).sentence


@pytest.mark.hubpod
def test_a_lost_node_is_explained(quick: Stack, quick_session: Session) -> None:
    """The page states that the server's node is down.

    No job remains, and a new server starts once the node is back.
    """
    server = quick_session.spawn(project=PROJECT)
    slurm, compute = quick.slurm, quick.slurm.daemon("slurmd")

    with undo_after(compute.start, slurm.resume, compute.wait_until_up):
        compute.stop()
        assert quick.execute("slurm", ("scontrol", "update", f"NodeName={slurm.node}", "State=DOWN", "Reason=burnt")).ok
        error = wait_for_end_error(server)

    assert f"Job {server.job_id} ended: its node failed (NODE_FAIL" in error.sentence
    assert quick_session.spawn(project=PROJECT).execute("5 * 4") == "20"
    assert_invariants(quick)


@pytest.mark.hubpod
@pytest.mark.usefixtures("drain_node")
def test_a_drained_node_is_shown_while_waiting(slurm: SlurmProbe, session: Session) -> None:
    """The progress page shows a drained node, and the server starts once it is resumed."""
    server = session.submit({})

    waiting = next(event for event in server.progress(REASON_S) if "drained" in event.message.lower())
    slurm.resume()
    last = list(server.progress(READY_S))[-1]

    assert waiting.slurm is not None
    assert waiting.slurm.state == "PENDING"
    assert waiting.slurm.job_id in waiting.message
    assert last.ready


@pytest.mark.hubpod
@pytest.mark.usefixtures("drain_node")
def test_a_job_cancelled_while_it_waits_fails_the_spawn(slurm: SlurmProbe, session: Session, user: User) -> None:
    """A job that is cancelled while pending fails the spawn with that reason."""
    events = session.submit({}).progress(REASON_S)
    next(events)  # the page is open; the hub reports nothing about a start that has ended
    job = wait_until("the job in the queue", lambda: slurm.jobs(user.account(PROJECT)))[0]

    slurm.cancel(job.id)
    with pytest.raises(SpawnFailed) as failure:
        list(events)

    assert f"Job {job.id}" in failure.value.sentence
    assert "cancelled" in failure.value.sentence
    assert not slurm.jobs(user.account(PROJECT))


@pytest.mark.hubpod
def test_a_job_that_dies_at_once_fails_the_spawn(stack: Stack, slurm: SlurmProbe, session: Session, user: User) -> None:
    """A spawn fails with the job's final state if a broken file in the home ends the server."""
    account = user.account(PROJECT)
    directory = f"{home_directory(account)}/.jupyter"
    file = f"{directory}/jupyter_server_config.py"

    with undo_after(lambda: run_as_account(stack, account, "rm", "-f", file)):
        run_as_account(stack, account, "mkdir", "-p", directory)
        run_as_account(stack, account, "sh", "-c", f'echo "{BROKEN_CONFIG}" > {file}')
        with pytest.raises(SpawnFailed) as failure:
            session.spawn(project=PROJECT, deadline_s=READY_S)

    assert "ended before the server was ready" in failure.value.sentence
    assert "FAILED" in failure.value.sentence
    slurm.wait_until_no_jobs(account, deadline_s=10)


@pytest.mark.hubpod
def test_a_missing_home_fails_the_spawn(stack: Stack, slurm: SlurmProbe, session: Session, user: User) -> None:
    """The spawn fails with the missing home as its reason, before a job is submitted."""
    account = user.account(PROJECT)
    home = home_directory(account)

    with undo_after(lambda: stack.execute("slurm", ("mv", f"{home}.away", home))):
        assert stack.execute("slurm", ("mv", home, f"{home}.away")).ok
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            session.spawn(project=PROJECT)

    assert f"cannot enter the home directory {home}" in failure.value.sentence
    assert not slurm.jobs(account)


def test_broken_login_scripts_do_no_harm(stack: Stack, session: Session, user: User) -> None:
    """Neither the hub's commands nor the job read the shell's login scripts."""
    account = user.account(PROJECT)

    with undo_after(lambda: run_as_account(stack, account, "sh", "-c", MEND_LOGIN_SCRIPTS)):
        run_as_account(stack, account, "sh", "-c", BREAK_LOGIN_SCRIPTS)
        server = session.spawn(project=PROJECT, deadline_s=READY_S)
        assert server.execute("5 * 4") == "20"
        server.stop()


def test_a_logout_ends_the_session(session: Session) -> None:
    """After a logout the hub requires a login instead of showing the spawn form."""
    assert session.spawn_form().fields

    session.logout()

    with pytest.raises(SpawnRefused):
        session.spawn_form()
