"""From the spawn form to a kernel that runs as a Slurm job."""

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
    """A member of a project gets a kernel in a job of the project's account, in its home, with its log there."""
    account = user.account(PROJECT)

    server = session.spawn(project=PROJECT)

    job = slurm.job(server.job_id)
    assert (job.state, job.user, job.work_dir) == ("RUNNING", account, home_directory(account))
    assert (job.time_limit_s, job.gpus) == (3600, 1)
    assert server.execute("5 * 4") == "20"
    assert server.execute(WHO_AND_WHERE).split() == [account, account, home_directory(account)]
    assert job.output.startswith(f"{home_directory(account)}/")
    assert run_as_account(stack, account, "tail", job.output).stdout


def test_what_was_chosen_reaches_slurm(slurm: SlurmProbe, session: Session) -> None:
    """Time, GPUs and partition of the form are those of the job, and its progress tells the job and its node."""
    options = {"runtime": "00:30:00", "ngpus": "2", "partition": "debug"}

    server = session.spawn(options, project=PROJECT)

    job = slurm.job(server.job_id)
    assert (job.time_limit_s, job.gpus, job.partition) == (1800, 2, "debug")
    assert len(server.execute(GPUS).split(",")) == 2
    told = [event.slurm for event in server.events if event.slurm]
    assert {state.job_id for state in told if state.job_id} == {job.id}
    assert any(state.node == job.node for state in told)
    assert server.events[-1].ready


def test_slurms_refusal_reaches_the_person(slurm: SlurmProbe, session: Session, user: User) -> None:
    """A reservation that does not exist is refused by Slurm, in Slurm's words."""
    with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
        session.spawn({"reservation": "nosuch"}, project=PROJECT)

    assert "reservation" in failure.value.sentence.lower()
    assert not slurm.jobs(user.account(PROJECT))


@pytest.mark.security
def test_another_persons_project_is_refused_by_the_form(slurm: SlurmProbe, session: Session, user: User) -> None:
    """A project that is not the person's gives a sentence and no job."""
    with pytest.raises(SpawnRefused) as refusal:
        session.submit(FOREIGN)

    assert refusal.value.status == BAD_REQUEST
    assert "not one of yours" in refusal.value.sentence
    assert not [job for project in user.projects for job in slurm.jobs(user.account(project))]


@pytest.mark.security
def test_another_persons_project_is_refused_by_the_api(hub: Hub, slurm: SlurmProbe, session: Session) -> None:
    """What the form refuses is refused by the REST API as well, and no job is made of it."""
    before = len(hub.log())

    response = hub.admin("POST", f"users/{session.user}/server", FOREIGN)

    # A hub that is too busy to refuse within slow_spawn_timeout has answered before it looked.
    assert response.status_code in {BAD_REQUEST, ACCEPTED}
    wait_until("the refusal", lambda: "not one of yours" in hub.log()[before:])
    wait_until("the end of the spawn", lambda: not hub.servers_of(session.user))
    assert not [job for job in slurm.jobs() if job.user.startswith(f"{session.user}.")]


def test_a_home_that_cannot_be_written_fails_the_spawn(
    stack: Stack, slurm: SlurmProbe, session: Session, user: User
) -> None:
    """A home without write permission is told as the reason, before there is a job that would die of it."""
    account = user.account(PROJECT)
    home = home_directory(account)

    with undo_after(lambda: run_as_account(stack, account, "chmod", "0700", home)):
        run_as_account(stack, account, "chmod", "0500", home)
        with pytest.raises((SpawnRefused, SpawnFailed)) as failure:
            session.spawn(project=PROJECT)

    assert f"{home} is not writable" in failure.value.sentence
    assert not slurm.jobs(account)


def test_one_person_has_servers_in_two_projects(quick: Stack, quick_session: Session, quick_user: User) -> None:
    """Named servers of one person run side by side, each as the account of its own project and in its home."""
    servers = {project: quick_session.submit(server_name=f"of-{project}", project=project) for project in PROJECTS}

    # Side by side, because a server that is ready already tells no more of its job.
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda server: list(server.progress(READY_S))[-1].ready, servers.values()))
    for project, server in servers.items():
        account, job = quick_user.account(project), quick.slurm.job(server.job_id)
        assert (job.state, job.user, job.work_dir) == ("RUNNING", account, home_directory(account))
        assert server.execute(WHO_AND_WHERE).split() == [account, account, home_directory(account)]
