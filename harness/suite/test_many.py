"""Several people at once, and what they cost Slurm: one question for all, and one SSH login of the hub."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hubpod.client import Server
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, wait_until
from hubpod_harness.users import User

PEOPLE = 6
QUESTIONS = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE")
ENOUGH = 5
ASKED_S = 60.0
TRANSPORT = "import ipykernel.connect as c, json; json.loads(c.get_connection_info())['transport']"
NO_GPU = {"ngpus": "0"}  # a course may have more people than the node has GPUs
END_SHARED = r"""
for process in /proc/[0-9]*; do
  case $(tr '\0' ' ' <"$process/cmdline") in
    'ssh: /tmp/'*) kill -KILL "${process#/proc/}" ;;
  esac
done
"""

Course = dict[User, Server]


@pytest.fixture(scope="module")
def course(stacks: Callable[..., Stack]) -> Iterator[Course]:
    """Six people who start at the same moment, the same for all tests here."""
    stack = stacks()
    people = stack.pool.lease(PEOPLE)

    def begin(person: User) -> Server:
        return stack.hub.login_as(person).spawn(NO_GPU, project=PROJECT)

    try:
        with ThreadPoolExecutor(PEOPLE) as pool:
            yield dict(zip(people, pool.map(begin, people), strict=True))
    finally:
        stack.pool.release(people, of=__name__)


def asked(stack: Stack, *messages: str) -> int:
    """How often Slurm was asked with any of these messages."""
    counts = stack.slurm.rpc_counts()
    return sum(counts.get(message, 0) for message in messages)


def wait_for_questions(stack: Stack, *messages: str) -> None:
    """Wait until the hub has asked Slurm about jobs some more times."""
    before = asked(stack, *messages)
    wait_until("more questions about jobs", lambda: asked(stack, *messages) >= before + ENOUGH, ASKED_S)


def test_a_course_starts_together(stack: Stack, course: Course) -> None:
    """Each of six people who started at the same moment has a job and a kernel of their own."""
    owners = [stack.slurm.job(server.job_id).user for server in course.values()]
    with ThreadPoolExecutor(PEOPLE) as pool:
        results = list(pool.map(lambda server: server.execute("5 * 4"), course.values()))

    assert owners == [person.account(PROJECT) for person in course]
    assert results == ["20"] * PEOPLE


def test_kernels_of_a_course_take_no_port_from_each_other(course: Course) -> None:
    """All servers run on one node, so their kernels listen on nothing that another person's kernel could take first."""
    for server in course.values():
        assert server.execute(TRANSPORT) == "'ipc'"


def test_a_course_costs_slurm_one_question_and_no_login(stack: Stack, course: Course) -> None:
    """However many servers run, the hub asks for the list of jobs, and not about each, through one connection."""
    single, logins = asked(stack, "REQUEST_JOB_INFO_SINGLE"), stack.slurm.ssh_logins()

    wait_for_questions(stack, "REQUEST_JOB_INFO")

    assert asked(stack, "REQUEST_JOB_INFO_SINGLE") - single < ENOUGH
    assert stack.slurm.ssh_logins() == logins
    assert all(server.is_active() for server in course.values())


def test_a_lost_connection_is_made_anew(stack: Stack, course: Course) -> None:
    """When the process that holds the connection dies, the next command makes another, and no server is lost."""
    before = stack.slurm.ssh_logins()

    assert stack.execute("jupyterhub", ("sh", "-c", END_SHARED)).ok
    wait_for_questions(stack, *QUESTIONS)

    assert stack.slurm.ssh_logins() > before
    assert all(server.is_active() for server in course.values())


def test_a_course_ends_together(stack: Stack, course: Course) -> None:
    """Six people who stop at the same moment leave no job behind, and commands as six accounts cost no login."""
    logins = stack.slurm.ssh_logins()

    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(Server.stop, course.values()))

    for person in course:
        stack.slurm.wait_until_no_jobs(person.account(PROJECT), deadline_s=10)
    assert stack.slurm.ssh_logins() == logins
