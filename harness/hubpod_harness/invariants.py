"""Invariants of a stack, which hold at the latest a minute after the last fault ended.

An observation is gathered first; pure functions then check it, one per invariant. Its parts are not simultaneous, so a
change in progress can look like a violation: `assert_invariants` repeats until no violation remains.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubTimeoutError
from hubpod.errors import HubpodError
from hubpod_harness.observation import Observation, observe
from hubpod_harness.stack import Stack
from hubpod_harness.users import User

API_LIMIT_S = 3.0
"""The hub's API should respond within 1 s at the 99th percentile. A single call on a busy test machine does not prove
a violation, so the limit is three times as long."""

RECOVERED_S = 60.0
POLL_INTERVAL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that does not hold."""

    name: str  # I1 to I8, or "facts" when the observation failed
    sentence: str  # the violation in words


def jobs_without_server(seen: Observation) -> Iterator[str]:
    """I1: Every job belongs to a server."""
    return (f"{job} for {job.user}, and no server of the hub has it" for job in seen.jobs_without_server)


def servers_not_responding(seen: Observation) -> Iterator[str]:
    """I2: Every server that is shown as ready responds."""
    ready = (server.name for server in seen.servers if server.ready)
    return (f"the server {name} is shown as ready and does not answer" for name in ready if name not in seen.answering)


def servers_with_two_jobs(seen: Observation) -> Iterator[str]:
    """I3: A server has at most one job.

    A second job is found by its account, because the hub knows only the first one.
    """
    for job in seen.jobs:
        for other in seen.jobs_without_server:
            if job.id in seen.owners and other.user == job.user:
                name = seen.owners[job.id].name
                yield f"the server {name} has job {job.id}, and job {other.id} of {job.user} is there as well"


def lost_servers(seen: Observation, before: Observation | None = None) -> Iterator[str]:
    """I4: A server is not lost while its job runs.

    The server is known to the hub or from an earlier observation.
    """
    remembered = before.owners if before else {}
    remembered |= {server.job_id: server for server in seen.servers if server.stopped and server.job_id}
    for job in seen.jobs_without_server:
        if job.id in remembered:
            yield f"the server {remembered[job.id].name} is lost, and its {job}"


def route_mismatches(seen: Observation) -> Iterator[str]:
    """I5: The proxy's routes match the hub's servers.

    A server that starts or stops may have a route.
    """
    ready = {server.name for server in seen.servers if server.ready and not server.pending}
    yield from (f"the proxy has no route to the server {name}" for name in sorted(ready - seen.routes))
    changing = {server.name for server in seen.servers if server.pending}
    yield from (f"the proxy has a route to {name}, no server" for name in sorted(seen.routes - ready - changing))


def leaked_secrets(seen: Observation) -> Iterator[str]:
    """I6: No secret is in a log or an argument list."""
    return (f"a secret is in {place}" for place in seen.leaks)


def slow_api(seen: Observation) -> Iterator[str]:
    """I7: The hub's API responds quickly."""
    if seen.latency_s > API_LIMIT_S:
        yield f"the hub's API took {seen.latency_s:.1f} s to answer, more than {API_LIMIT_S:g} s"


INVARIANTS: dict[str, Callable[[Observation], Iterable[str]]] = {
    "I1": jobs_without_server,
    "I2": servers_not_responding,
    "I3": servers_with_two_jobs,
    "I4": lost_servers,
    "I5": route_mismatches,
    "I6": leaked_secrets,
    "I7": slow_api,
}


def find_violations(seen: Observation, before: Observation | None = None) -> tuple[Violation, ...]:
    """Return the violations of I1 to I7. I4 also covers the servers of an earlier observation."""
    table = INVARIANTS | {"I4": lambda now: lost_servers(now, before)}
    return tuple(Violation(name=name, sentence=said) for name, check in table.items() for said in check(seen))


def violations(stack: Stack, *, before: Observation | None = None, fresh: User | None = None) -> tuple[Violation, ...]:
    """Observe a stack once, and return the violations.

    Args:
        stack: The stack.
        before: The observation before the fault; I4 covers its servers.
        fresh: A leased user without a server, for I8. It is checked when all others hold.
    """
    try:
        found = find_violations(observe(stack), before)
    except HubpodError as error:
        found = (Violation(name="facts", sentence=error.message),)
    return found or (check_fresh_spawn(stack, fresh) if fresh else ())


def check_fresh_spawn(stack: Stack, user: User) -> tuple[Violation, ...]:
    """I8: A user without a server gets a working one and can stop it."""
    try:
        server = stack.hub.login_as(user).spawn(project=user.projects[0])
        try:
            result = server.execute("5 * 4")
        finally:
            server.stop()
    except HubpodError as error:
        return (Violation(name="I8", sentence=f"{user.name} did not get a server: {error.message}"),)
    wrong = f"the fresh server of {user.name} says that 5 * 4 is {result}"
    return () if result == "20" else (Violation(name="I8", sentence=wrong),)


def assert_invariants(
    stack: Stack,
    deadline_s: float = RECOVERED_S,
    *,
    before: Observation | None = None,
    fresh: User | None = None,
    on_violations: Callable[[Sequence[Violation]], None] = lambda _: None,
) -> None:
    """Wait until no invariant is violated. The other arguments are those of `violations`.

    Raises:
        AssertionError: Violations remain after `deadline_s` seconds; the message lists them.
    """
    deadline = Deadline(deadline_s, "the invariants")
    while found := violations(stack, before=before, fresh=fresh):
        on_violations(found)
        try:
            deadline.pause(POLL_INTERVAL_S)
        except HubTimeoutError:
            said = "\n".join(f"{violation.name}: {violation.sentence}" for violation in found)
            raise AssertionError(f"violated after {deadline_s:g} s:\n{said}") from None
