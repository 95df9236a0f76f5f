"""What holds of a stack whatever has happened to it, at the latest a minute after the last fault is over.

The facts are gathered first, into one value, which pure functions then judge, one per invariant. They are not seen at
the same moment, so what is on its way can look like a violation: `assert_invariants` looks until there is none.
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
"""The hub's API should answer within 1 s at the 99th percentile. One call on a machine that is busy with tests says
little about that, so only what can hardly be chance counts: three times as long."""

RECOVERED_S = 60.0
LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that does not hold."""

    name: str  # I1 to I8; "facts" when too little could be seen to tell
    sentence: str  # what is wrong with what


def no_orphan(seen: Observation) -> Iterator[str]:
    """I1: every job belongs to a server."""
    return (f"{job} for {job.user}, and no server of the hub has it" for job in seen.orphans)


def no_ghost(seen: Observation) -> Iterator[str]:
    """I2: every server that is shown as ready answers."""
    ready = (server.name for server in seen.servers if server.ready)
    return (f"the server {name} is shown as ready and does not answer" for name in ready if name not in seen.answering)


def one_job_each(seen: Observation) -> Iterator[str]:
    """I3: a server never has two jobs; the second one is known by its account, as the hub knows the first one only."""
    for job in seen.jobs:
        for other in seen.orphans:
            if job.id in seen.owners and other.user == job.user:
                name = seen.owners[job.id].name
                yield f"the server {name} has job {job.id}, and job {other.id} of {job.user} is there as well"


def none_lost(seen: Observation, before: Observation | None = None) -> Iterator[str]:
    """I4: a server is not lost while its job runs; the hub may remember it, or somebody who looked before."""
    remembered = before.owners if before else {}
    remembered |= {server.job_id: server for server in seen.servers if server.stopped and server.job_id}
    for job in seen.orphans:
        if job.id in remembered:
            yield f"the server {remembered[job.id].name} is lost, and its {job}"


def routes_as_servers(seen: Observation) -> Iterator[str]:
    """I5: the proxy's routes are the hub's servers; one that starts or stops may have one or not."""
    ready = {server.name for server in seen.servers if server.ready and not server.pending}
    yield from (f"the proxy has no route to the server {name}" for name in sorted(ready - seen.routes))
    changing = {server.name for server in seen.servers if server.pending}
    yield from (f"the proxy has a route to {name}, no server" for name in sorted(seen.routes - ready - changing))


def no_secret_shown(seen: Observation) -> Iterator[str]:
    """I6: no secret is in a log or an argument list."""
    return (f"a secret is in {place}" for place in seen.leaks)


def hub_is_quick(seen: Observation) -> Iterator[str]:
    """I7: the hub's API answers at once."""
    if seen.latency_s > API_LIMIT_S:
        yield f"the hub's API took {seen.latency_s:.1f} s to answer, more than {API_LIMIT_S:g} s"


INVARIANTS: dict[str, Callable[[Observation], Iterable[str]]] = {
    "I1": no_orphan,
    "I2": no_ghost,
    "I3": one_job_each,
    "I4": none_lost,
    "I5": routes_as_servers,
    "I6": no_secret_shown,
    "I7": hub_is_quick,
}


def judge(seen: Observation, before: Observation | None = None) -> tuple[Violation, ...]:
    """What of I1 to I7 does not hold; servers that were seen before are expected for I4."""
    table = INVARIANTS | {"I4": lambda now: none_lost(now, before)}
    return tuple(Violation(name=name, sentence=said) for name, check in table.items() for said in check(seen))


def violations(stack: Stack, *, before: Observation | None = None, fresh: User | None = None) -> tuple[Violation, ...]:
    """What does not hold now.

    Args:
        stack: The stack.
        before: What was seen before the fault, whose servers I4 expects while their jobs run.
        fresh: A leased user without a server: when all else holds, I8 is that this user gets one.
    """
    try:
        found = judge(observe(stack), before)
    except HubpodError as error:
        found = (Violation(name="facts", sentence=error.message),)
    return found or (fresh_spawn(stack, fresh) if fresh else ())


def fresh_spawn(stack: Stack, user: User) -> tuple[Violation, ...]:
    """I8: a user without a server gets one that works, and ends it."""
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
    """Wait until nothing is violated; tell of what still is. The other arguments are those of `violations`.

    Raises:
        AssertionError: Something still is after `deadline_s` seconds; a sentence for each.
    """
    deadline = Deadline(deadline_s, "the invariants")
    while found := violations(stack, before=before, fresh=fresh):
        on_violations(found)
        try:
            deadline.pause(LOOK_AGAIN_S)
        except HubTimeoutError:
            said = "\n".join(f"{violation.name}: {violation.sentence}" for violation in found)
            raise AssertionError(f"violated after {deadline_s:g} s:\n{said}") from None
