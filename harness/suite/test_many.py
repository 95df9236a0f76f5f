"""Several people at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from harness.hub import Hub
from harness.slurm import SlurmProbe
from harness.stack import Stack
from harness.suite.common import PROJECT, until
from harness.users import User
from hubpod.client import Server

PEOPLE = 6
SHARERS = 3
LISTS = 5
LISTS_S = 60.0
NO_GPU = {"ngpus": "0"}  # a course may have more people than the node has GPUs


def test_a_course_costs_slurm_one_question(quick: Stack, users: Callable[..., list[User]]) -> None:
    """However many servers run, the hub asks Slurm for the list of jobs, and not about each job by itself."""
    people = users(SHARERS, of=quick)
    servers = [quick.hub.login_as(person).spawn(NO_GPU, project=PROJECT) for person in people]
    before = quick.slurm.rpc_counts()

    def grown(message: str) -> int:
        return quick.slurm.rpc_counts().get(message, 0) - before.get(message, 0)

    until("five lists of all jobs", lambda: grown("REQUEST_JOB_INFO") >= LISTS, LISTS_S)

    assert grown("REQUEST_JOB_INFO_SINGLE") < LISTS
    assert all(server.is_active() for server in servers)


def test_a_course_starts_together(hub: Hub, slurm: SlurmProbe, users: Callable[..., list[User]]) -> None:
    """Six people who start at the same moment each get a job and a kernel of their own, and leave no job behind."""
    people = users(PEOPLE)

    def begin(person: User) -> Server:
        return hub.login_as(person).spawn(NO_GPU, project=PROJECT)

    with ThreadPoolExecutor(PEOPLE) as pool:
        servers = list(pool.map(begin, people))
        owners = [slurm.job(server.job_id).user for server in servers]
        results = list(pool.map(lambda server: server.execute("5 * 4"), servers))
        list(pool.map(Server.stop, servers))

    assert owners == [person.account(PROJECT) for person in people]
    assert results == ["20"] * PEOPLE
    for person in people:
        slurm.wait_until_no_jobs(person.account(PROJECT), deadline_s=10)
