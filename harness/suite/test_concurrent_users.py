"""Concurrent users: one query for all servers, and one SSH login of the hub."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hubpod.client import Server
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, wait_until
from hubpod_harness.users import User

USERS = 6
QUERIES = ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE")
ENOUGH = 5
QUERIES_S = 60.0
TRANSPORT = "import ipykernel.connect as c, json; json.loads(c.get_connection_info())['transport']"
NO_GPU = {"ngpus": "0"}  # there may be more users than GPUs
END_SHARED = r"""
for process in /proc/[0-9]*; do
  case $(tr '\0' ' ' <"$process/cmdline") in
    'ssh: /tmp/'*) kill -KILL "${process#/proc/}" ;;
  esac
done
"""

Servers = dict[User, Server]


@pytest.fixture(scope="module")
def servers(stacks: Callable[..., Stack]) -> Iterator[Servers]:
    """Servers of six users, started concurrently and shared by all tests of this module."""
    stack = stacks()
    users = stack.pool.lease(USERS)

    def begin(user: User) -> Server:
        return stack.hub.login_as(user).spawn(NO_GPU, project=PROJECT)

    try:
        with ThreadPoolExecutor(USERS) as pool:
            yield dict(zip(users, pool.map(begin, users), strict=True))
    finally:
        stack.pool.release(users, of=__name__)


def count_messages(stack: Stack, *messages: str) -> int:
    """Count the messages of these types that slurmctld received."""
    counts = stack.slurm.rpc_counts()
    return sum(counts.get(message, 0) for message in messages)


def wait_for_queries(stack: Stack, *messages: str) -> None:
    """Wait until the hub has sent more queries about jobs."""
    before = count_messages(stack, *messages)
    wait_until("more queries about jobs", lambda: count_messages(stack, *messages) >= before + ENOUGH, QUERIES_S)


def test_six_users_start_concurrently(stack: Stack, servers: Servers) -> None:
    """Six users who start concurrently each have their own job and kernel."""
    owners = [stack.slurm.job(server.job_id).user for server in servers.values()]
    with ThreadPoolExecutor(USERS) as pool:
        results = list(pool.map(lambda server: server.execute("5 * 4"), servers.values()))

    assert owners == [user.account(PROJECT) for user in servers]
    assert results == ["20"] * USERS


def test_kernels_of_one_node_use_no_ports(servers: Servers) -> None:
    """Kernels on one node use IPC, and no port that another user's kernel could take."""
    for server in servers.values():
        assert server.execute(TRANSPORT) == "'ipc'"


@pytest.mark.hubpod
def test_all_servers_cost_one_query_and_no_login(stack: Stack, servers: Servers) -> None:
    """The hub queries the list of jobs, not single jobs, through one connection for all servers."""
    single, logins = count_messages(stack, "REQUEST_JOB_INFO_SINGLE"), stack.slurm.ssh_logins()

    wait_for_queries(stack, "REQUEST_JOB_INFO")

    assert count_messages(stack, "REQUEST_JOB_INFO_SINGLE") - single < ENOUGH
    assert stack.slurm.ssh_logins() == logins
    assert all(server.is_active() for server in servers.values())


@pytest.mark.hubpod
def test_a_lost_connection_is_reopened(stack: Stack, servers: Servers) -> None:
    """After the shared SSH connection died, a command opens another. No server is lost."""
    before = stack.slurm.ssh_logins()

    assert stack.execute("jupyterhub", ("sh", "-c", END_SHARED)).ok
    wait_for_queries(stack, *QUERIES)

    assert stack.slurm.ssh_logins() > before
    assert all(server.is_active() for server in servers.values())


def test_six_users_stop_concurrently(stack: Stack, servers: Servers) -> None:
    """Six concurrent stops leave no job, and commands as six accounts need no further login."""
    logins = stack.slurm.ssh_logins()

    with ThreadPoolExecutor(USERS) as pool:
        list(pool.map(Server.stop, servers.values()))

    for user in servers:
        stack.slurm.wait_until_no_jobs(user.account(PROJECT), deadline_s=10)
    assert stack.slurm.ssh_logins() == logins
