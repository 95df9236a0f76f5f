"""The invariants: what is a violation, judged from values."""

from dataclasses import replace

import pytest

from hubpod_harness.invariants import API_LIMIT_S, INVARIANTS, Violation, find_violations
from hubpod_harness.observation import HubServer, Observation, find_secret, parse_routes, parse_servers
from hubpod_harness.slurm_jobs import Job

SERVER = HubServer(name="user01", ready=True, job_id="5", path="/jupyter/user/user01/")
LOST = replace(SERVER, ready=False, stopped=True)
JOB = Job(id="5", state="RUNNING", user="user01.project1")
SECOND = replace(JOB, id="6")
GOOD = Observation(
    servers=(SERVER,), jobs=(JOB,), routes=frozenset({"user01"}), answering=frozenset({"user01"}), latency_s=0.1
)
GONE = replace(GOOD, servers=(), routes=frozenset(), answering=frozenset())


def test_a_good_stack_violates_nothing() -> None:
    """A ready server with its job and its route, and nothing else, is how it should be; so is nothing at all."""
    assert find_violations(GOOD) == ()
    assert find_violations(Observation()) == ()
    assert find_violations(GOOD, before=GOOD) == ()


@pytest.mark.parametrize(
    ("name", "seen", "sentence"),
    [
        ("I1", GONE, "job 5 is RUNNING for user01.project1, and no server of the hub has it"),
        ("I1", replace(GONE, servers=(LOST,)), "job 5 is RUNNING for user01.project1, and no server of the hub has it"),
        (
            "I2",
            replace(GOOD, answering=frozenset()),
            "the server user01 is shown as ready and does not answer",
        ),
        (
            "I3",
            replace(GOOD, jobs=(JOB, SECOND)),
            "the server user01 has job 5, and job 6 of user01.project1 is there as well",
        ),
        ("I4", replace(GONE, servers=(LOST,)), "the server user01 is lost, and its job 5 is RUNNING"),
        ("I5", replace(GOOD, routes=frozenset()), "the proxy has no route to the server user01"),
        ("I5", replace(GONE, routes=frozenset({"user01"})), "the proxy has a route to user01, no server"),
        ("I6", replace(GOOD, leaks=("line 3 of the log of slurm",)), "a secret is in line 3 of the log of slurm"),
        (
            "I7",
            replace(GOOD, latency_s=API_LIMIT_S + 0.5),
            "the hub's API took 3.5 s to answer, more than 3 s",
        ),
    ],
)
def test_each_violation_is_a_sentence(name: str, seen: Observation, sentence: str) -> None:
    """Every invariant finds its violation and says what is wrong with what."""
    assert list(INVARIANTS[name](seen)) == [sentence]
    assert Violation(name=name, sentence=sentence) in find_violations(seen)


def test_who_looked_before_misses_a_lost_server() -> None:
    """A server that the hub has forgotten is missed by who saw it, as long as its job runs."""
    said = Violation(name="I4", sentence="the server user01 is lost, and its job 5 is RUNNING")

    assert said in find_violations(GONE, before=GOOD)
    assert said not in find_violations(GONE)
    assert find_violations(replace(GONE, jobs=()), before=GOOD) == ()


def test_looking_before_is_not_changed_by_judging() -> None:
    """The same earlier observation can be judged against again."""
    before = replace(GOOD, servers=())

    find_violations(replace(GONE, servers=(LOST,)), before=before)

    assert before.owners == {}


@pytest.mark.parametrize("pending", ["spawn", "stop"])
@pytest.mark.parametrize("routes", [frozenset[str](), frozenset({"user01"})])
def test_a_server_on_its_way_may_have_a_route(pending: str, routes: frozenset[str]) -> None:
    """A server that starts or stops may have its route or not, and need not answer."""
    server = replace(SERVER, ready=False, pending=pending)

    assert find_violations(replace(GOOD, servers=(server,), routes=routes, answering=frozenset())) == ()


def test_two_servers_of_a_person_may_have_a_job_each() -> None:
    """Two jobs of one account are fine when each has its server."""
    other = replace(SERVER, name="user01/second", job_id="6")
    names = frozenset({"user01", "user01/second"})

    assert (
        find_violations(replace(GOOD, servers=(SERVER, other), jobs=(JOB, SECOND), routes=names, answering=names)) == ()
    )


def test_the_hubs_users_are_read() -> None:
    """Servers are read with their state, named ones and stopped ones too, and users without any."""
    model = {"ready": True, "pending": None, "stopped": False, "url": "/jupyter/user/user01/", "state": {"job_id": "5"}}
    stopped = {"ready": False, "pending": "stop", "stopped": True, "url": "/jupyter/user/user01/b/", "state": None}

    assert parse_servers([{"name": "user01", "servers": {"": model, "b": stopped}}, {"name": "user02"}]) == (
        SERVER,
        HubServer(name="user01/b", pending="stop", stopped=True, path="/jupyter/user/user01/b/"),
    )


def test_only_routes_to_servers_are_read() -> None:
    """The hub's own routes are left out."""
    routes = [
        {"routespec": "/jupyter/", "target": "http://127.0.0.1:8081", "data": {"hub": True, "jupyterhub": True}},
        {
            "routespec": "/jupyter/user/user01/",
            "target": "http://node1:1",
            "data": {"user": "user01", "server_name": ""},
        },
        {
            "routespec": "/jupyter/user/user01/b/",
            "target": "http://node1:2",
            "data": {"user": "user01", "server_name": "b"},
        },
    ]

    assert parse_routes(routes) == {"user01", "user01/b"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("all is well\n-----BEGIN KEY-----\n", ""),
        ("a\nexport TOKEN=abc123\n", "line 2"),
        (f"a\nb\n{'k' * 64}", "line 3"),
        ("a\nshort\n", ""),
        ("a\nb\nc is pass word\n", "line 3"),
    ],
)
def test_a_secret_is_found_without_being_told(text: str, place: str) -> None:
    """The line is told and never the secret; of a long key each line that is long enough counts by itself."""
    assert find_secret(text, ("abc123", f"-----BEGIN KEY-----\n{'k' * 64}\nshort\n", "pass word", "")) == place
