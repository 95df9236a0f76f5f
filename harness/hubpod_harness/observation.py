"""One observation of a stack: its servers, as the hub, Slurm and the proxy each report them."""

import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from hubpod.client.browser import direct_session
from hubpod.client.errors import HubError
from hubpod.system.redaction import find_lines
from hubpod_harness.slurm_jobs import Job
from hubpod_harness.stack import Stack

JOB_NAME = "spawner-jupyterhub"
"""Name of every server's job, set in volumes/jupyterhub/core/batch_script.sh.j2."""

ANSWER_S = 10.0
PAGE_SIZE = 100
MAX_WORKERS = 8
SUBSTITUTE_STATUSES = frozenset({404, 424, 500, 502, 503, 504})
"""Statuses with which the proxy or the hub respond in place of a server."""


@dataclass(frozen=True, kw_only=True)
class HubServer:
    """A server, as the hub reports it."""

    name: str  # USER, or USER/SERVER for a named server
    ready: bool = False
    pending: str = ""  # "spawn" or "stop" while in progress
    stopped: bool = False  # the hub keeps only its record
    job_id: str = ""  # empty before the job is submitted and after it ended
    path: str = ""  # path of its URL


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The state of a stack at about one moment."""

    servers: tuple[HubServer, ...] = ()  # stopped ones included
    jobs: tuple[Job, ...] = ()  # of servers, pending or running
    routes: frozenset[str] = frozenset()  # names of the servers with a route
    answering: frozenset[str] = frozenset()  # names of the ready servers that respond through the proxy
    leaks: tuple[str, ...] = ()  # places that contain a secret
    latency_s: float = 0.0  # response time of the hub's API in seconds

    @property
    def owners(self) -> dict[str, HubServer]:
        """Return the server of each job that has one."""
        return {server.job_id: server for server in self.servers if server.job_id and not server.stopped}

    @property
    def jobs_without_server(self) -> tuple[Job, ...]:
        """Return the jobs without a server."""
        return tuple(job for job in self.jobs if job.id not in self.owners)


def observe(stack: Stack) -> Observation:
    """Observe a stack.

    Raises:
        HubpodError: The hub, Slurm or a container does not respond.
    """
    start = time.monotonic()
    _get(stack, "users?limit=1")
    latency_s = time.monotonic() - start
    jobs = tuple(job for job in stack.slurm.jobs() if job.name == JOB_NAME)
    servers = parse_servers(_pages(stack, "users?include_stopped_servers=1"))
    ready = [server for server in servers if server.ready]
    with ThreadPoolExecutor(MAX_WORKERS) as pool:
        answers = list(pool.map(lambda server: server_responds(urljoin(stack.hub.url, f"{server.path}api")), ready))
    return Observation(
        servers=servers,
        jobs=jobs,
        routes=parse_routes(_pages(stack, "proxy?")),
        answering=frozenset(server.name for server, answer in zip(ready, answers, strict=True) if answer),
        leaks=tuple(_find_leaks(stack)),
        latency_s=latency_s,
    )


def parse_servers(users: Iterable[Any]) -> tuple[HubServer, ...]:
    """Parse the servers in the hub's list of users.

    The state of a server is its spawner's; `job_id` comes from batchspawner.
    """
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


def parse_routes(routes: Iterable[Any]) -> frozenset[str]:
    """Parse the proxy's routes to servers, without those of the hub and of services."""
    found = [route["data"] for route in routes if route["data"].get("user")]
    return frozenset("/".join(filter(None, (data["user"], data.get("server_name")))) for data in found)


def server_responds(url: str) -> bool:
    """Return whether the server itself responds to an unauthenticated client.

    A response of the proxy or of the hub in the server's place does not count.
    """
    with direct_session(url) as session:
        try:
            response = session.get(url, allow_redirects=False, timeout=ANSWER_S)
        except requests.RequestException:
            return False
    # Without a route the hub responds, with a redirect to its own page.
    return response.status_code not in SUBSTITUTE_STATUSES and "/hub/user/" not in response.headers.get("Location", "")


def find_secret(text: str, secrets: Iterable[str]) -> str:
    """Return the positions of all secrets in a text as `line N` or `lines N, M`; empty when the text has none."""
    numbers = [str(number) for number in find_lines(text, frozenset(secrets))]
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


def _find_leaks(stack: Stack) -> Iterator[str]:
    """Yield the places of secrets, container by container."""
    secrets = stack.secrets
    with ThreadPoolExecutor(MAX_WORKERS) as pool:
        for found in pool.map(lambda container: _find_container_leaks(stack, container, secrets), stack.containers):
            yield from found


def _find_container_leaks(stack: Stack, container: str, secrets: Collection[str]) -> list[str]:
    """Return the places of secrets in one container. A stopped one has no processes."""
    log, processes = stack.log(container), stack.execute(container, ("sh", "-c", "cat /proc/[0-9]*/cmdline")).stdout
    line = find_secret(log, secrets)
    found = [f"{line} of the log of {container}"] if line else []
    return [*found, f"an argument list of {container}"] if find_secret(processes, secrets) else found


def _pages(stack: Stack, path: str) -> Iterator[Any]:
    """Yield the items of a paginated list in the hub's API."""
    seen = 0
    while page := _get(stack, f"{path}&limit={PAGE_SIZE}&offset={seen}"):
        yield from page.values() if isinstance(page, dict) else page
        seen += len(page)


def _get(stack: Stack, path: str) -> Any:  # noqa: ANN401 - any JSON
    what = f"the hub's API (GET {path.partition('?')[0]})"
    try:
        response = stack.hub.admin("GET", path)
        if response.ok:
            return response.json()
    except requests.RequestException as error:
        raise HubError(f"{what} does not answer: {type(error).__name__}") from None
    raise HubError(f"{what} answers with status {response.status_code}", status=response.status_code)
