"""What a job can reach: neither hub nor proxy but for the hub's API, and no file that it does not need."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hubpod.client import Server, Session
from hubpod_harness.observation import find_secret
from hubpod_harness.slurm import SlurmProbe
from hubpod_harness.stack import Stack
from hubpod_harness.steps import PROJECT, run_as_account, wait_until
from hubpod_harness.users import User

pytestmark = pytest.mark.security

STARTED_S = 120.0
TAKEN = [(address, port) for address in ("127.0.0.1", "0.0.0.0") for port in (8081, 8001, 8000)]  # noqa: S104
"""Addresses of hub and proxy, on which a job listens."""

START = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {program!r}], start_new_session=True).pid)
"""
STOP = "import os; os.kill({pid}, 9)"

# Writes the addresses that it listens on, and what it receives.
LISTENER = """
import selectors, socket
log = open("received", "a", buffering=1)
waiting = selectors.DefaultSelector()
def listen(address):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(tuple(address))
    server.listen()
    waiting.register(server, selectors.EVENT_READ)
    log.write(f"listening {{address}}\\n")
for address in {addresses}:
    listen(address)
while True:
    for key, _ in waiting.select():
        if key.data is None:
            client, peer = key.fileobj.accept()
            waiting.register(client, selectors.EVENT_READ, peer)
            continue
        content = key.fileobj.recv(4096)
        if content:
            log.write(f"received {{content}}\\n")
        else:
            waiting.unregister(key.fileobj)
"""
RECEIVED = "import pathlib; print(*(path.read_text() for path in pathlib.Path().glob('received')))"

CONNECT = """
import json, os, socket
from urllib.parse import urlsplit
hub = urlsplit(os.environ["JUPYTERHUB_API_URL"]).hostname
def connects(host, port):
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True
print(json.dumps({{port: [connects(host, port) for host in ("127.0.0.1", hub)] for port in {ports}}}))
"""

# Each source address of the loopback network counts as another client.
SILENT = """
import socket, threading
silent = []
for number in range(300):
    client = socket.socket()
    client.bind((f"127.0.0.{number % 200 + 2}", 0))
    client.connect(("127.0.0.1", 22))
    silent.append(client)
open("silent", "w").write(str(len(silent)))
threading.Event().wait()
"""
HELD = "import pathlib; print(*(path.read_text() for path in pathlib.Path().glob('silent')))"

READABLE = "find {places} -xdev -type f -readable 2>/dev/null"
PLACES = (
    *("/etc/hubpod", "/etc/slurm", "/etc/ssh", "/etc/sudoers", "/etc/sudoers.d", "/etc/shadow", "/etc/gshadow"),
    *("/run", "/var/spool", "/var/lib/extrausers", "/var/log", "/proc/1/environ"),
)

MAY_READ = {
    *("/etc/hubpod/credentials/authorized_keys", "/etc/hubpod/credentials/ssh_host_ed25519_key.pub"),
    *("/etc/slurm/cgroup.conf", "/etc/slurm/gres.conf", "/etc/slurm/nodes.conf", "/etc/slurm/slurm.conf"),
    *("/etc/slurm/ssh_clients", "/etc/ssh/ssh_config", "/etc/ssh/sshd_config", "/etc/ssh/moduli"),
    *("/var/lib/extrausers/group", "/var/lib/extrausers/passwd"),
    *("/run/munge/munged.pid", "/run/adduser"),
}
"""Files below PLACES that an account may read: configuration, public keys, names of accounts."""

MAY_READ_BELOW = ("/run/service/", "/run/slurm", "/etc/ssh/ssh_config.d/")
"""Directories whose content an account may read: scripts and states of the supervisor, and process ids."""


@contextmanager
def program_of(job: Server, program: str) -> Iterator[None]:
    """Run a program of a job during the block, which outlives its kernel and connections to the job's server."""
    pid = job.execute(START.format(program=program))
    try:
        yield
    finally:
        job.execute(STOP.format(pid=int(pid)))


@pytest.fixture
def job(session: Session) -> Server:
    """The server of a user who attacks others."""
    return session.spawn(project=PROJECT)


def test_a_job_that_takes_the_ports_of_hub_and_proxy_gets_nothing(
    stack: Stack, job: Server, users: Callable[..., list[User]]
) -> None:
    """While hub and proxy restart, no connection reaches the job; the next user gets a server, and the hub stays up."""
    with program_of(job, LISTENER.format(addresses=TAKEN)):
        wait_until("the listening job", lambda: job.execute(RECEIVED).count("listening") == len(TAKEN), STARTED_S)
        for name in ("jupyterhub", "proxy"):
            stack.restart(name)
        stack.wait_until_ready()
        other = stack.hub.login_as(users(1)[0]).spawn(project=PROJECT)

    assert other.execute("5 * 4") == "20"
    assert "received" not in job.execute(RECEIVED)
    assert "address already in use" not in stack.log("jupyterhub").lower()


def test_a_job_connects_to_the_hubs_api_only(stack: Stack, job: Server) -> None:
    """The proxy's API listens where no job is, and the job's loopback interface has neither hub nor proxy."""
    found = json.loads(job.execute(CONNECT.format(ports=[8000, 8001, 8081])))

    published = stack.site.instance.environment.ingress.publishes_port
    assert found == {"8000": [False, published], "8001": [False, False], "8081": [False, True]}


def test_silent_connections_of_a_job_do_not_use_up_sshd(
    stack: Stack, job: Server, users: Callable[..., list[User]]
) -> None:
    """A job holds more connections to sshd than sshd accepts without a login, from many addresses."""
    if not stack.site.instance.environment.slurm.in_pod:
        pytest.skip("an external Slurm host accepts connections from every address in these tests")
    with program_of(job, SILENT):
        wait_until("300 silent connections", lambda: job.execute(HELD).strip() == "300", STARTED_S)
        other = stack.hub.login_as(users(1)[0]).spawn(project=PROJECT)

    assert other.execute("5 * 4") == "20"


def test_an_account_reads_only_what_it_needs(stack: Stack, slurm: SlurmProbe, job: Server, user: User) -> None:
    """The readable files of Slurm's container are the listed ones, and contain no secret."""
    account = slurm.job(job.job_id).user
    script = READABLE.format(places=" ".join(PLACES))
    readable = set(run_as_account(stack, account, "sh", "-c", f"{script} || true").stdout.split())

    assert user.name in account
    assert not {path for path in readable - MAY_READ if not path.startswith(MAY_READ_BELOW)}
    content = run_as_account(stack, account, "sh", "-c", f"{script} | xargs cat 2>/dev/null || true").stdout
    assert "SlurmctldHost" in content
    assert not find_secret(content, set(stack.secrets))
