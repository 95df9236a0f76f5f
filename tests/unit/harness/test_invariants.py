"""Invariants: violations found in observations."""

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


def test_a_working_stack_has_no_violations() -> None:
    """A ready server with job and route is valid, and so is an empty stack."""
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
    """Every invariant finds its violation and describes it."""
    assert list(INVARIANTS[name](seen)) == [sentence]
    assert Violation(name=name, sentence=sentence) in find_violations(seen)


def test_an_earlier_observation_reveals_a_lost_server() -> None:
    """A server that the hub forgot is lost when an earlier observation has it and its job runs."""
    said = Violation(name="I4", sentence="the server user01 is lost, and its job 5 is RUNNING")

    assert said in find_violations(GONE, before=GOOD)
    assert said not in find_violations(GONE)
    assert find_violations(replace(GONE, jobs=()), before=GOOD) == ()


def test_an_earlier_observation_can_be_reused() -> None:
    """An earlier observation can be used several times."""
    before = replace(GOOD, servers=())

    find_violations(replace(GONE, servers=(LOST,)), before=before)

    assert before.owners == {}


@pytest.mark.parametrize("pending", ["spawn", "stop"])
@pytest.mark.parametrize("routes", [frozenset[str](), frozenset({"user01"})])
def test_a_starting_server_may_have_a_route(pending: str, routes: frozenset[str]) -> None:
    """A server that starts or stops may have a route, and need not respond."""
    server = replace(SERVER, ready=False, pending=pending)

    assert find_violations(replace(GOOD, servers=(server,), routes=routes, answering=frozenset())) == ()


def test_two_servers_of_a_user_may_have_a_job_each() -> None:
    """Two jobs of one account are valid when each belongs to a server."""
    other = replace(SERVER, name="user01/second", job_id="6")
    names = frozenset({"user01", "user01/second"})

    assert (
        find_violations(replace(GOOD, servers=(SERVER, other), jobs=(JOB, SECOND), routes=names, answering=names)) == ()
    )


def test_servers_are_parsed() -> None:
    """Named and stopped servers are parsed, and users without servers are accepted."""
    model = {"ready": True, "pending": None, "stopped": False, "url": "/jupyter/user/user01/", "state": {"job_id": "5"}}
    stopped = {"ready": False, "pending": "stop", "stopped": True, "url": "/jupyter/user/user01/b/", "state": None}

    assert parse_servers([{"name": "user01", "servers": {"": model, "b": stopped}}, {"name": "user02"}]) == (
        SERVER,
        HubServer(name="user01/b", pending="stop", stopped=True, path="/jupyter/user/user01/b/"),
    )


def test_only_routes_to_servers_are_parsed() -> None:
    """Routes of the hub itself are ignored."""
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
        ("abc123\nb\nabc123 and pass%20word\nthe pass word\n", "lines 1, 3, 4"),
    ],
)
def test_a_secret_is_found_by_its_line(text: str, place: str) -> None:
    """The result names the line and not the secret. Each long line of a key counts by itself."""
    assert find_secret(text, ("abc123", f"-----BEGIN KEY-----\n{'k' * 64}\nshort\n", "pass word", "")) == place
