"""Spawns: from the form to a kernel in a Slurm job."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hubpod.client import Session, SpawnFailed, SpawnRefused
from hubpod_harness.hub import Hub
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, home_directory, run_as_account, undo_after, wait_until
from hubpod_harness.users import User

WHO_AND_WHERE = "import getpass, os, pwd; print(pwd.getpwuid(os.geteuid()).pw_name, getpass.getuser(), os.getcwd())"
GPUS = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
PROJECTS = ("project1", "project2")
READY_S = 120.0
FOREIGN = {"brics_project": "project9.portal"}
ACCEPTED, BAD_REQUEST = 202, 400


def test_a_project_member_gets_a_running_job(stack: Stack, slurm: SlurmProbe, session: Session, user: User) -> None:
    """A project member gets a kernel in a job of the project's account, with its home and log."""
    account = user.account(PROJECT)

    server = session.spawn(project=PROJECT)

    job = slurm.job(server.job_id)
    assert (job.state, job.user, job.work_dir) == ("RUNNING", account, home_directory(account))
    assert server.execute("5 * 4") == "20"
    assert server.execute(WHO_AND_WHERE).split() == [account, account, home_directory(account)]
    assert job.output.startswith(f"{home_directory(account)}/")
    assert run_as_account(stack, account, "tail", job.output).stdout


@pytest.mark.hubpod
def test_the_form_has_defaults(slurm: SlurmProbe, session: Session) -> None:
    """An hour and one GPU are the defaults of the form."""
    job = slurm.job(session.spawn(project=PROJECT).job_id)

    assert (job.time_limit_s, job.gpus) == (3600, 1)


@pytest.mark.hubpod
def test_form_options_reach_slurm(slurm: SlurmProbe, session: Session) -> None:
    """Time, GPUs and partition of the form reach the job. The progress shows job and node."""
    options = {"runtime": "00:30:00", "ngpus": "2", "partition": "debug"}

    server = session.spawn(options, project=PROJECT)

    job = slurm.job(server.job_id)
    assert (job.time_limit_s, job.gpus, job.partition) == (1800, 2, "debug")
    assert len(server.execute(GPUS).split(",")) == 2
    states = [event.slurm for event in server.events if event.slurm]
    assert {state.job_id for state in states if state.job_id} == {job.id}
    assert any(state.node == job.node for state in states)
    assert server.events[-1].ready


@pytest.mark.hubpod
def test_slurms_refusal_reaches_the_user(slurm: SlurmProbe, session: Session, user: User) -> None:
    """The user reads Slurm's own message about a reservation that does not exist."""
    with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
        session.spawn({"reservation": "nosuch"}, project=PROJECT)

    assert "reservation" in failure.value.sentence.lower()
    assert not slurm.jobs(user.account(PROJECT))


@pytest.mark.hubpod
@pytest.mark.security
def test_the_form_refuses_a_project_of_another_user(slurm: SlurmProbe, session: Session, user: User) -> None:
    """A project of another user gives an error message and no job."""
    with pytest.raises(SpawnRefused) as refusal:
        session.submit(FOREIGN)

    assert refusal.value.status == BAD_REQUEST
    assert "not one of yours" in refusal.value.sentence
    assert not [job for project in user.projects for job in slurm.jobs(user.account(project))]


@pytest.mark.hubpod
@pytest.mark.security
def test_the_api_refuses_a_project_of_another_user(hub: Hub, slurm: SlurmProbe, session: Session) -> None:
    """The REST API refuses a project of another user, and submits no job."""
    before = len(hub.log())

    response = hub.admin("POST", f"users/{session.user}/server", FOREIGN)

    # A busy hub may respond before it has refused, after slow_spawn_timeout.
    assert response.status_code in {BAD_REQUEST, ACCEPTED}
    wait_until("the refusal", lambda: "not one of yours" in hub.log()[before:])
    wait_until("the end of the spawn", lambda: not hub.servers_of(session.user))
    assert not [job for job in slurm.jobs() if job.user.startswith(f"{session.user}.")]


@pytest.mark.hubpod
def test_a_read_only_home_fails_the_spawn(stack: Stack, slurm: SlurmProbe, session: Session, user: User) -> None:
    """The spawn fails with the read-only home as its reason, before a job is submitted."""
    account = user.account(PROJECT)
    home = home_directory(account)

    with undo_after(lambda: run_as_account(stack, account, "chmod", "0700", home)):
        run_as_account(stack, account, "chmod", "0500", home)
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            session.spawn(project=PROJECT)

    assert f"{home} is not writable" in failure.value.sentence
    assert not slurm.jobs(account)


def test_one_user_has_servers_in_two_projects(quick: Stack, quick_session: Session, quick_user: User) -> None:
    """Named servers of one user run concurrently, each as its project's account and in its home."""
    servers = {project: quick_session.submit(server_name=f"of-{project}", project=project) for project in PROJECTS}

    # Concurrently, because a server that is ready reports no further progress.
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda server: list(server.progress(READY_S))[-1].ready, servers.values()))
    for project, server in servers.items():
        account, job = quick_user.account(project), quick.slurm.job(server.job_id)
        assert (job.state, job.user, job.work_dir) == ("RUNNING", account, home_directory(account))
        assert server.execute(WHO_AND_WHERE).split() == [account, account, home_directory(account)]
