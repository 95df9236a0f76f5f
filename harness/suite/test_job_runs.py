"""Jobs that Slurm requeues, holds, suspends or loses under a ready server."""

import pytest

from hubpod.client import HubError, Server, Session
from hubpod_harness.invariants import assert_invariants
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

pytestmark = pytest.mark.faults

NOTICED_S = 20.0
RESTARTED_S = 60.0


def run_scontrol(stack: Stack, *arguments: str) -> bool:
    """Run scontrol as root and return whether Slurm agreed."""
    return stack.execute("slurm", ("scontrol", *arguments)).ok


def wait_for_reason(server: Server, deadline_s: float = NOTICED_S) -> str:
    """Wait until the hub detects the end of a server, and return the sentence on its page."""
    wait_until("the end of the server", lambda: not server.is_active(), deadline_s)
    with pytest.raises(HubError) as error:
        server.open()
    return error.value.sentence


def test_a_servers_job_is_never_requeued(quick: Stack, quick_session: Session) -> None:
    """Slurm requeues jobs by default, but not those of servers."""
    assert "JobRequeue              = 1" in quick.execute("slurm", ("scontrol", "show", "config")).stdout
    server = quick_session.spawn(project=PROJECT)

    assert not run_scontrol(quick, "requeue", server.job_id)
    assert not run_scontrol(quick, "requeuehold", server.job_id)

    assert server.is_active()
    assert server.execute("5 * 4") == "20"


@pytest.mark.parametrize("how", ["requeue", "requeuehold"])
def test_a_server_whose_job_waits_again_has_ended(quick: Stack, quick_session: Session, how: str) -> None:
    """An operator who requeues or holds a job ends its server. The job is cancelled, and the page has the reason."""
    server = quick_session.spawn(project=PROJECT)
    job_id = server.job_id
    assert run_scontrol(quick, "update", f"JobId={job_id}", "Requeue=1")

    assert run_scontrol(quick, how, job_id)

    reason = wait_for_reason(server)
    assert f"Job {job_id} ended: " in reason
    assert "queue" in reason or "holds" in reason
    quick.slurm.wait_for(job_id, "CANCELLED")
    assert quick_session.spawn(project=PROJECT).execute("5 * 4") == "20"
    assert_invariants(quick)


def test_a_suspended_job_keeps_its_server(quick: Stack, quick_session: Session) -> None:
    """A server whose job is suspended, as by preemption, is there when the job resumes."""
    server = quick_session.spawn(project=PROJECT)
    before = len(quick.hub.log())
    assert run_scontrol(quick, "suspend", server.job_id)

    wait_until("the hub's query", lambda: "state='SUSPENDED'" in quick.hub.log()[before:], NOTICED_S)
    assert server.is_active()
    assert run_scontrol(quick, "resume", server.job_id)

    assert server.execute("5 * 4") == "20"


def test_a_restarted_slurm_host_leaves_no_ghost(quick: Stack, quick_session: Session) -> None:
    """A restart of the whole Slurm host ends its servers within seconds, with the reason."""
    server = quick_session.spawn(project=PROJECT)
    job_id = server.job_id

    quick.restart("slurm")
    quick.slurm.daemon("slurmd").wait_until_up()

    assert f"Job {job_id} ended: its node failed (NODE_FAIL" in wait_for_reason(server)
    assert quick_session.spawn(project=PROJECT, deadline_s=RESTARTED_S).execute("5 * 4") == "20"
    assert_invariants(quick)


def test_a_job_that_cannot_complete_delays_no_other_job(quick: Stack, quick_session: Session, quick_user: User) -> None:
    """A job whose log is a FIFO without a reader is ended after its cancellation, and other jobs start."""
    account = quick_user.account(PROJECT)
    home = home_directory(account)
    with undo_after(lambda: run_as_account(quick, account, "rm", "-f", f"{home}/fifo")):
        run_as_account(quick, account, "mkfifo", f"{home}/fifo")
        submit = ("sbatch", "--parsable", f"--chdir={home}", f"--output={home}/fifo", "--wrap=sleep 600")
        job_id = run_as_account(quick, account, *submit).stdout.strip()
        quick.slurm.wait_for(job_id, "RUNNING")

        run_as_account(quick, account, "scancel", job_id)
        quick.slurm.wait_for(job_id, "COMPLETING")
        server = quick_session.spawn(project=PROJECT, deadline_s=RESTARTED_S)

    assert server.execute("5 * 4") == "20"
    quick.slurm.wait_for(job_id, "CANCELLED")


def test_a_user_with_a_queued_job_can_be_deleted(quick: Stack, quick_session: Session) -> None:
    """Deleting a user ends the server that is starting and cancels its job."""
    account = f"{quick_session.user}.{PROJECT}"
    quick.slurm.drain()
    try:
        quick_session.submit(project=PROJECT)
        wait_until("the job in the queue", lambda: quick.slurm.jobs(account))

        response = quick.hub.admin("DELETE", f"users/{quick_session.user}")
    finally:
        quick.slurm.resume()

    assert response.status_code == 204, response.text
    quick.slurm.wait_until_no_jobs(account, deadline_s=10)
