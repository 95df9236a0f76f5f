"""What a hub bears: bad tokens, many servers, many people at once. Each prints its figures as one JSON object.

python tools/bench/load.py tokens [--rate N] [--seconds S]   logins and the hub's API beside a flood of bad tokens
python tools/bench/load.py questions [--servers N ...]       what so many servers ask of Slurm and its SSH server
python tools/bench/load.py people [--people N]               so many people who start at the same moment

Each has a stack of its own, as the harness starts it. Figures are seconds unless their name says otherwise.
"""

import argparse
import base64
import json
import math
import secrets
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

from bench.pace import (  # noqa: E402 - found above
    Connections,
    Paced,
    as_fast_as_it_goes,
    at_rate,
    looked,
    median,
    quantile,
)
from hubpod.client import HubError, Server, Session  # noqa: E402
from hubpod.client.session import TOKEN_HEADER  # noqa: E402
from hubpod_harness.observation import observe  # noqa: E402
from hubpod_harness.options import Options  # noqa: E402
from hubpod_harness.preflight import prepare_machine  # noqa: E402
from hubpod_harness.stack import Stack  # noqa: E402
from hubpod_harness.stacks import open_stacks  # noqa: E402
from hubpod_harness.users import User  # noqa: E402

Figures = Mapping[str, float]

FLOOD_CONNECTIONS = 64
LOOK_RATE, LOOKERS = 20.0, 8
LOGINS_AT_ONCE = 4
DISTINCT_TOKENS = 50

STARTERS = 8
"""People who start at the same time until so many servers run, which is not what is measured then."""

MINUTE_S = 60.0
SPAWN_S = 420.0
ENDED_S = 60.0
FREE_MIB = 3000
"""Memory that is left alone."""

NO_GPU = {"ngpus": "0"}  # there are more people than GPUs


def tokens(stack: Stack, *, rate: float, lasting_s: float) -> Figures:
    """How quick logins and the hub's API are, beside so many tokens of an unknown key a second and without them."""
    flood = partial(at_rate, rate, lasting_s, _bad_token(stack), workers=FLOOD_CONNECTIONS)
    looks = partial(at_rate, LOOK_RATE, lasting_s, _look(stack), workers=LOOKERS)
    log_in = partial(as_fast_as_it_goes, lasting_s, _login(stack), workers=LOGINS_AT_ONCE)
    quiet_api, quiet_logins = looks(), log_in()
    busy_api, bad = side_by_side(looks, flood)
    busy_logins, _ = side_by_side(log_in, flood)
    return {
        **_latencies("hub's API, quiet", quiet_api),
        **_latencies("hub's API beside bad tokens", busy_api),
        "API calls that failed, number": sum(_failed(each, 200) for each in (quiet_api, busy_api)),
        "logins a second, quiet, number": quiet_logins.rate,
        "logins a second beside bad tokens, number": busy_logins.rate,
        "logins that failed, number": sum(_failed(each, "in") for each in (quiet_logins, busy_logins)),
        "bad tokens answered a second, number": bad.rate,
        "bad tokens not answered with 401, number": _failed(bad, 401),
        **_latencies("answer to a bad token", bad),
    }


def _latencies(name: str, paced: Paced) -> Figures:
    return {f"{name}, {word}": quantile(paced.took_s, share) for word, share in (("p50", 0.5), ("p99", 0.99))}


def _failed(paced: Paced, wanted: object) -> int:
    return sum(number for outcome, number in paced.outcomes.items() if outcome != wanted)


def side_by_side(one: Callable[[], Paced], other: Callable[[], Paced]) -> tuple[Paced, Paced]:
    """Both at the same time."""
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(other)
        return one(), second.result()


def _bad_token(stack: Stack) -> Callable[[], object]:
    """Offers a token of a key that the issuer does not have, a different one each time."""
    assert stack.issuer  # of an environment with tokens
    good = stack.issuer.mint("user01")
    bad = cycle([of_unknown_key(good) for _ in range(DISTINCT_TOKENS)])
    connections, path = Connections(stack.url), f"{urlsplit(stack.url).path}/hub/login"
    return lambda: connections.get(path, {TOKEN_HEADER: next(bad)})


def of_unknown_key(token: str) -> str:
    """The same token, its header naming another key; its signature is no good either."""
    header, _, rest = token.partition(".")
    fields = json.loads(base64.urlsafe_b64decode(header + "=="))
    changed = json.dumps(fields | {"kid": secrets.token_hex(8)}).encode()
    return f"{base64.urlsafe_b64encode(changed).decode().rstrip('=')}.{rest}"


def _look(stack: Stack) -> Callable[[], object]:
    connections, path = Connections(stack.url), f"{urlsplit(stack.url).path}/hub/api/users?limit=1"
    return lambda: connections.get(path, {"Authorization": f"token {stack.keys.observer}"})


def _login(stack: Stack) -> Callable[[], object]:
    people = cycle([User(name=f"person{number:03}", projects=("project1",)) for number in range(1, 21)])

    def log_in() -> str:
        try:
            stack.hub.login_as(next(people))
        except HubError as error:
            return str(error)
        return "in"

    return log_in


def questions(stack: Stack, *, people: Sequence[User], servers: Sequence[int]) -> Figures:
    """What so many running servers ask of Slurm's controller and its SSH server in a minute."""
    figures: dict[str, float] = {}
    running: list[Server] = []
    for wanted in servers:
        for group in groups(people[len(running) : wanted], STARTERS):
            if available_mib() < FREE_MIB:
                break
            with ThreadPoolExecutor(STARTERS) as pool:
                running += pool.map(partial(_started, stack), group)
        before, logins = _asked(stack), stack.slurm.ssh_logins()
        time.sleep(MINUTE_S)
        number = f"{len(running)} servers, number"
        figures[f"questions to Slurm a minute, {number}"] = _asked(stack) - before
        figures[f"SSH logins a minute, {number}"] = stack.slurm.ssh_logins() - logins
        _say(f"so far: {figures}")
    return figures


def groups(people: Sequence[User], size: int) -> list[Sequence[User]]:
    """The people, so many at a time."""
    return [people[first : first + size] for first in range(0, len(people), size)]


def available_mib() -> float:
    """Memory that programs can still have (proc_meminfo(5))."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def _started(stack: Stack, person: User) -> Server:
    return stack.hub.login_as(person).spawn(NO_GPU, project="project1", deadline_s=SPAWN_S)


def _asked(stack: Stack) -> int:
    counts = stack.slurm.rpc_counts()
    return sum(counts.get(name, 0) for name in ("REQUEST_JOB_INFO", "REQUEST_JOB_INFO_SINGLE"))


def people_at_once(stack: Stack, *, people: Sequence[User]) -> Figures:
    """How long so many people wait who click at the same moment, for how many it fails, and what is left after all."""
    sessions = [stack.hub.login_as(person) for person in people]

    def start(number: int) -> float | str:
        begun = time.monotonic()
        try:
            sessions[number].spawn(NO_GPU, project="project1", deadline_s=SPAWN_S)
        except HubError as error:
            return str(error)
        return time.monotonic() - begun

    def stop(session: Session) -> str:
        try:
            session.server().stop(deadline_s=SPAWN_S)
        except HubError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = list(pool.map(start, range(len(people))))
        orphans = looked(lambda: len(observe(stack).orphans), within_s=ENDED_S)
        stops = list(pool.map(stop, sessions))
    took = [outcome for outcome in outcomes if isinstance(outcome, float)]
    for sentence in sorted({outcome for outcome in (*outcomes, *stops) if isinstance(outcome, str) and outcome}):
        _say(sentence)
    name = f"{len(people)} people at once"
    return {
        f"{name}, p50": median(took),
        f"{name}, p95": quantile(took, 0.95),
        f"{name}, the last": max(took, default=float("nan")),
        f"{name}, failures, number": len(outcomes) - len(took),
        f"{name}, orphans while servers run, number": orphans,
        f"{name}, stops that failed, number": sum(map(bool, stops)),
        f"{name}, jobs left after all have stopped, number": looked(
            lambda: len(stack.slurm.jobs()), enough=0, within_s=ENDED_S
        ),
    }


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(words: Sequence[str]) -> None:
    """Measure once, and print the figures."""
    chosen = parsed(words)
    number = max([chosen.people, *chosen.servers])
    everybody = [User(name=f"person{each:03}", projects=("project1",)) for each in range(1, max(20, number) + 1)]
    measures: dict[str, Callable[[Stack], Figures]] = {
        "tokens": partial(tokens, rate=chosen.rate, lasting_s=chosen.seconds),
        "questions": partial(questions, people=everybody, servers=chosen.servers),
        "people": partial(people_at_once, people=everybody[: chosen.people]),
    }
    options = Options()
    settings = {"devUsers": " ".join(person.account("project1") for person in everybody)}
    with open_stacks(options, lambda: prepare_machine(options)) as kit:
        figures = measures[chosen.measure](kit.stack(settings=settings))
    print(json.dumps({name: round(value, 3) for name, value in figures.items() if not math.isnan(value)}))  # noqa: T201 - what it is for


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("measure", choices=("tokens", "questions", "people"))
    parser.add_argument("--rate", type=float, default=200, help="bad tokens a second [%(default)s]")
    parser.add_argument("--seconds", type=float, default=20, help="how long each part of it lasts [%(default)s]")
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 20, 100], help="how many [%(default)s]")
    parser.add_argument("--people", type=int, default=50, help="how many [%(default)s]")
    return parser.parse_args(words)


if __name__ == "__main__":
    main(sys.argv[1:])
