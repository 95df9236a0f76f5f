"""A stack as it was seen once: what the hub, Slurm and the proxy each say of its servers."""

import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from hubpod.client.browser import direct_session
from hubpod.client.errors import HubError
from hubpod_harness.slurm import Job
from hubpod_harness.stack import Stack

JOB_NAME = "spawner-jupyterhub"
"""How volumes/jupyterhub/core/batch_script.sh.j2 names the job of every server."""

ANSWER_S = 10.0
PAGE = 100
AT_ONCE = 8
PART_OF_KEY = 32  # characters from which on a line of a longer secret is one itself
NOT_ITS_OWN = frozenset({404, 424, 500, 502, 503, 504})
"""Statuses that the proxy and the hub answer with in place of a server."""


@dataclass(frozen=True, kw_only=True)
class HubServer:
    """A server as the hub has it."""

    name: str  # its user's name, and behind a slash its own when it has one
    ready: bool = False
    pending: str = ""  # "spawn" or "stop" while that is under way
    stopped: bool = False  # the hub only remembers it
    job_id: str = ""  # empty when there is no job yet, or none any more
    path: str = ""  # of its address


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A stack as it was seen once."""

    servers: tuple[HubServer, ...] = ()  # those included that the hub only remembers
    jobs: tuple[Job, ...] = ()  # of servers, pending or running
    routes: frozenset[str] = frozenset()  # names of the servers that the proxy has a route to
    answering: frozenset[str] = frozenset()  # names of the ready servers that answer through the proxy
    leaks: tuple[str, ...] = ()  # where a secret was found
    latency_s: float = 0.0  # seconds that the hub's API took to answer

    @property
    def owners(self) -> dict[str, HubServer]:
        """The server of each job that has one."""
        return {server.job_id: server for server in self.servers if server.job_id and not server.stopped}

    @property
    def orphans(self) -> tuple[Job, ...]:
        """The jobs that no server has."""
        return tuple(job for job in self.jobs if job.id not in self.owners)


def observe(stack: Stack) -> Observation:
    """Look at a stack.

    Raises:
        HubpodError: The hub, Slurm or a container does not tell.
    """
    begun = time.monotonic()
    _asked(stack, "users?limit=1")
    latency_s = time.monotonic() - begun
    jobs = tuple(job for job in stack.slurm.jobs() if job.name == JOB_NAME)
    servers = read_servers(_pages(stack, "users?include_stopped_servers=1"))
    ready = [server for server in servers if server.ready]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda server: answers_itself(urljoin(stack.hub.url, f"{server.path}api")), ready))
    return Observation(
        servers=servers,
        jobs=jobs,
        routes=read_routes(_pages(stack, "proxy?")),
        answering=frozenset(server.name for server, answer in zip(ready, answers, strict=True) if answer),
        leaks=tuple(_leaks(stack)),
        latency_s=latency_s,
    )


def read_servers(users: Iterable[Any]) -> tuple[HubServer, ...]:
    """Read the hub's users, whose servers' state is the spawner's own: `job_id` is batchspawner's."""
    return tuple(
        HubServer(
            name="/".join(filter(None, (user["name"], name))),
            ready=server["ready"],
            pending=server["pending"] or "",
            stopped=server["stopped"],
            job_id=str((server.get("state") or {}).get("job_id", "")),
            path=urlsplit(server["url"]).path,
        )
        for user in users
        for name, server in (user.get("servers") or {}).items()
    )


def read_routes(routes: Iterable[Any]) -> frozenset[str]:
    """Read the hub's table of the proxy's routes: those to servers; the others are to the hub and to services."""
    found = [route["data"] for route in routes if route["data"].get("user")]
    return frozenset("/".join(filter(None, (data["user"], data.get("server_name")))) for data in found)


def answers_itself(url: str) -> bool:
    """Whether a server answers without a login, be it with a refusal, and not the proxy or the hub in its place."""
    with direct_session(url) as session:
        try:
            response = session.get(url, allow_redirects=False, timeout=ANSWER_S)
        except requests.RequestException:
            return False
    # Where there is no route the hub answers, which leads to its own page.
    return response.status_code not in NOT_ITS_OWN and "/hub/user/" not in response.headers.get("Location", "")


def find_secret(text: str, secrets: Iterable[str]) -> str:
    """Where in a text a secret is, as `line N`; empty when there is none."""
    for secret in secrets:
        lines = secret.strip().splitlines()
        parts = lines if len(lines) == 1 else [line for line in lines if len(line) >= PART_OF_KEY]
        for part in parts:
            if (at := text.find(part)) >= 0:
                return f"line {text.count(chr(10), 0, at) + 1}"
    return ""


def _leaks(stack: Stack) -> Iterator[str]:
    """Where secrets are, container by container."""
    secrets = stack.secrets
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda container: _leaks_of(stack, container, secrets), stack.containers):
            yield from found


def _leaks_of(stack: Stack, container: str, secrets: Collection[str]) -> list[str]:
    """Where secrets of a stack are in one of its containers; one that does not run has no processes."""
    log, processes = stack.log(container), stack.execute(container, ("sh", "-c", "cat /proc/[0-9]*/cmdline")).stdout
    line = find_secret(log, secrets)
    found = [f"{line} of the log of {container}"] if line else []
    return [*found, f"an argument list of {container}"] if find_secret(processes, secrets) else found


def _pages(stack: Stack, path: str) -> Iterator[Any]:
    """The items of a list of the hub's API; the hub gives no more at once than it likes."""
    seen = 0
    while page := _asked(stack, f"{path}&limit={PAGE}&offset={seen}"):
        yield from page.values() if isinstance(page, dict) else page
        seen += len(page)


def _asked(stack: Stack, path: str) -> Any:  # noqa: ANN401 - whatever JSON the hub answers
    what = f"the hub's API (GET {path.partition('?')[0]})"
    try:
        response = stack.hub.admin("GET", path)
        if response.ok:
            return response.json()
    except requests.RequestException as error:
        raise HubError(f"{what} does not answer: {type(error).__name__}") from None
    raise HubError(f"{what} answers with status {response.status_code}", status=response.status_code)
