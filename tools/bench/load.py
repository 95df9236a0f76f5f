"""Measure a hub under load, in one of three scenarios.

python tools/bench/load.py tokens [--rate N] [--seconds S]   logins and hub API during a flood of invalid tokens
python tools/bench/load.py queries [--servers N ...]         queries that running servers cause at Slurm and its sshd
python tools/bench/load.py users [--users N]                 users who start their servers at the same moment

Each scenario runs in its own stack of the harness. The metrics are printed as one
JSON object, in seconds unless their name ends with another unit.
"""

import argparse
import base64
import json
import math
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools")]

from bench.load_generator import (  # noqa: E402 - needs the path above
    Connections,
    LoadResult,
    poll_count,
    run_at_rate,
    run_closed_loop,
)
from bench.report import quantile  # noqa: E402
from hubpod.client import HubError, Server, Session  # noqa: E402
from hubpod.client.session import TOKEN_HEADER  # noqa: E402
from hubpod_harness.observation import observe  # noqa: E402
from hubpod_harness.options import Options  # noqa: E402
from hubpod_harness.preflight import prepare_machine  # noqa: E402
from hubpod_harness.stack import Stack  # noqa: E402
from hubpod_harness.stacks import open_stacks  # noqa: E402
from hubpod_harness.users import User  # noqa: E402

Metrics = Mapping[str, float]

FLOOD_CONNECTIONS = 64
API_RATE, API_WORKERS = 20.0, 8
LOGIN_WORKERS = 4
DISTINCT_TOKENS = 50

STARTS_AT_ONCE = 8
"""Servers started concurrently before the `queries` scenario measures. The starts themselves are not measured."""

MINUTE_S = 60.0
SPAWN_S = 420.0
SETTLE_S = 60.0
MIN_FREE_MIB = 3000
"""The `queries` scenario starts no more servers below this amount of available memory."""

NO_GPU = {"ngpus": "0"}  # the stack has fewer GPUs than users


def measure_tokens(stack: Stack, *, rate: float, duration_s: float) -> Metrics:
    """Measure logins and the hub API, alone and during a flood of invalid tokens."""
    flood = partial(run_at_rate, rate, duration_s, _send_invalid_token(stack), workers=FLOOD_CONNECTIONS)
    call_api = partial(run_at_rate, API_RATE, duration_s, _call_api(stack), workers=API_WORKERS)
    log_in = partial(run_closed_loop, duration_s, _log_in(stack), workers=LOGIN_WORKERS)
    quiet_api, quiet_logins = call_api(), log_in()
    busy_api, flood_result = run_concurrently(call_api, flood)
    busy_logins, _ = run_concurrently(log_in, flood)
    return {
        **_latencies("hub API, quiet", quiet_api),
        **_latencies("hub API during the flood", busy_api),
        "failed API calls, number": sum(_count_failures(each, 200) for each in (quiet_api, busy_api)),
        "logins per second, quiet, number": quiet_logins.rate,
        "logins per second during the flood, number": busy_logins.rate,
        "failed logins, number": sum(_count_failures(each, "in") for each in (quiet_logins, busy_logins)),
        "invalid tokens answered per second, number": flood_result.rate,
        "invalid tokens not answered with 401, number": _count_failures(flood_result, 401),
        **_latencies("answer to an invalid token", flood_result),
    }


def _latencies(name: str, result: LoadResult) -> Metrics:
    return {f"{name}, {label}": quantile(result.durations_s, share) for label, share in (("p50", 0.5), ("p99", 0.99))}


def _count_failures(result: LoadResult, expected: object) -> int:
    return sum(number for outcome, number in result.outcomes.items() if outcome != expected)


def run_concurrently(one: Callable[[], LoadResult], other: Callable[[], LoadResult]) -> tuple[LoadResult, LoadResult]:
    """Run two load generators at the same time."""
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(other)
        return one(), second.result()


def _send_invalid_token(stack: Stack) -> Callable[[], object]:
    """Return an action that sends a token of an unknown key, in turn one of several."""
    assert stack.issuer  # the environment uses tokens
    valid = stack.issuer.mint("user01")
    invalid = cycle([with_unknown_key(valid) for _ in range(DISTINCT_TOKENS)])
    connections, path = Connections(stack.url), f"{urlsplit(stack.url).path}/hub/login"
    return lambda: connections.get(path, {TOKEN_HEADER: next(invalid)})


def with_unknown_key(token: str) -> str:
    """Replace the key id in a token's header with a random one."""
    header, _, rest = token.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "=="))
    changed = json.dumps(fields | {"kid": secrets.token_hex(8)}).encode()
    return f"{base64.urlsafe_b64encode(changed).decode().rstrip('=')}.{rest}"


def _call_api(stack: Stack) -> Callable[[], object]:
    connections, path = Connections(stack.url), f"{urlsplit(stack.url).path}/hub/api/users?limit=1"
    return lambda: connections.get(path, {"Authorization": f"token {stack.keys.observer}"})


def _log_in(stack: Stack) -> Callable[[], object]:
    users = cycle(make_users(20))

    def log_in() -> str:
        try:
            stack.hub.login_as(next(users))
        except HubError as error:
            return str(error)
        return "in"

    return log_in


def make_users(number: int) -> list[User]:
    """Return users with the names user001, user002 and so on, in one project."""
    return [User(name=f"user{each:03}", projects=("project1",)) for each in range(1, number + 1)]


def measure_queries(stack: Stack, *, users: Sequence[User], servers: Sequence[int]) -> Metrics:
    """Count Slurm queries and SSH logins per minute, for each number of running servers."""
    metrics: dict[str, float] = {}
    running: list[Server] = []
    for wanted in servers:
        for batch in split_into_batches(users[len(running) : wanted], STARTS_AT_ONCE):
            if available_mib() < MIN_FREE_MIB:
                break
            with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
                running += pool.map(partial(_start_server, stack), batch)
        queries, logins = _count_queries(stack), stack.slurm.ssh_logins()
        time.sleep(MINUTE_S)
        number = f"{len(running)} servers, number"
        metrics[f"Slurm queries per minute, {number}"] = _count_queries(stack) - queries
        metrics[f"SSH logins per minute, {number}"] = stack.slurm.ssh_logins() - logins
        _log(f"so far: {metrics}")
    return metrics


def split_into_batches(users: Sequence[User], size: int) -> list[Sequence[User]]:
    """Split users into batches of at most `size`."""
    return [users[first : first + size] for first in range(0, len(users), size)]


def available_mib() -> float:
    """Return the memory available to new programs (proc_meminfo(5))."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def _start_server(stack: Stack, user: User) -> Server:
    return stack.hub.login_as(user).spawn(NO_GPU, project="project1", deadline_s=SPAWN_S)


def _count_queries(stack: Stack) -> int:
    counts = stack.slurm.rpc_counts()
    return sum(counts.get(name, 0) for name in ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE"))


def measure_users(stack: Stack, *, users: Sequence[User]) -> Metrics:
    """Start the servers of all users at once, then stop them."""
    sessions = [stack.hub.login_as(user) for user in users]
    with ThreadPoolExecutor(len(users)) as pool:
        starts = list(pool.map(_timed_spawn, sessions))
        orphans = poll_count(lambda: len(observe(stack).jobs_without_server), timeout_s=SETTLE_S)
        stops = list(pool.map(_stop_server, sessions))
    durations = [outcome for outcome in starts if isinstance(outcome, float)]
    for sentence in sorted({outcome for outcome in (*starts, *stops) if isinstance(outcome, str) and outcome}):
        _log(sentence)
    name = f"{len(users)} users at once"
    return {
        f"{name}, p50": statistics.median(durations) if durations else math.nan,
        f"{name}, p95": quantile(durations, 0.95),
        f"{name}, slowest": max(durations, default=math.nan),
        f"{name}, failed starts, number": len(starts) - len(durations),
        f"{name}, jobs without a server, number": orphans,
        f"{name}, failed stops, number": sum(map(bool, stops)),
        f"{name}, jobs left after all stops, number": poll_count(
            lambda: len(stack.slurm.jobs()), wanted=0, timeout_s=SETTLE_S
        ),
    }


def _timed_spawn(session: Session) -> float | str:
    """Return the seconds that a spawn took, or the error message if it failed."""
    start = time.monotonic()
    try:
        session.spawn(NO_GPU, project="project1", deadline_s=SPAWN_S)
    except HubError as error:
        return str(error)
    return time.monotonic() - start


def _stop_server(session: Session) -> str:
    """Stop a user's server, and return the error message if it failed."""
    try:
        session.server().stop(deadline_s=SPAWN_S)
    except HubError as error:
        return str(error)
    return ""


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(words: Sequence[str]) -> None:
    """Run one scenario and print its metrics."""
    arguments = parse_arguments(words)
    users = make_users(max([20, arguments.users, *arguments.servers]))
    scenarios: dict[str, Callable[[Stack], Metrics]] = {
        "tokens": partial(measure_tokens, rate=arguments.rate, duration_s=arguments.seconds),
        "queries": partial(measure_queries, users=users, servers=arguments.servers),
        "users": partial(measure_users, users=users[: arguments.users]),
    }
    options = Options()
    settings = {"devUsers": " ".join(user.account("project1") for user in users)}
    with open_stacks(options, lambda: prepare_machine(options)) as stacks:
        metrics = scenarios[arguments.scenario](stacks.stack(settings=settings))
    known = {name: round(value, 3) for name, value in metrics.items() if not math.isnan(value)}
    print(json.dumps(known))  # noqa: T201 - the script's result


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", choices=("tokens", "queries", "users"))
    parser.add_argument("--rate", type=float, default=200, help="invalid tokens per second [%(default)s]")
    parser.add_argument("--seconds", type=float, default=20, help="duration of each part of `tokens` [%(default)s]")
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 20, 100], help="numbers of servers [%(default)s]")
    parser.add_argument("--users", type=int, default=50, help="number of users [%(default)s]")
    return parser.parse_args(words)


if __name__ == "__main__":
    main(sys.argv[1:])
