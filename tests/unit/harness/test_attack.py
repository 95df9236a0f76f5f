"""Attack cases, their transmission, and the criteria of a refusal."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from hubpod.client import HubError
from hubpod.environments import Login
from hubpod.errors import UsageError
from hubpod.instances import find_instance
from hubpod_harness.attack.addresses import AMBIGUOUS_ADDRESSES, FOREIGN_ADDRESSES
from hubpod_harness.attack.cases import Case, Target, cases
from hubpod_harness.attack.command import attack
from hubpod_harness.attack.instance import attack_instance
from hubpod_harness.attack.transport import Request, Response, send
from hubpod_harness.attack.verdicts import Verdict, attempt, find_problems

PROJECT = Path(__file__).parents[3]
URL = "http://127.0.0.1:8000/jupyter"
PASSWORD = "open-sesame-4711"
TARGETS = {
    login.value: Target(url=URL, login=login, claims={"aud": "jupyter"}, password=PASSWORD, known_passwords=("known",))
    for login in Login
}
REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SECRET = "the-secret-that-was-sent"


def whole_request(connection: socket.socket) -> bytes:
    """Read all of a request: closing early may discard the response."""
    request = b""
    while b"\r\n\r\n" not in request and (more := connection.recv(2**16)):
        request += more
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length and b"chunked" not in head else 0
    while missing > 0 and (more := connection.recv(2**16)):
        missing -= len(more)
        request += more
    return request


@contextmanager
def serve_response(answer: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Serve the same response to every connection.

    Yields the address, and a function that returns the first request.
    """
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    received.append(whole_request(connection))
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jupyter", lambda: received[0]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def case(**changes: object) -> Case:
    """Make a case with a token that must be refused."""
    values: dict[str, object] = {
        "id": "token",
        "title": "a token",
        "request": Request(path="/hub/login"),
        "expected": frozenset({401}),
        "unseen": (SECRET,),
    }
    return Case(**{**values, **changes})  # type: ignore[arg-type] # values of the right types, by name


def problems(answer: Response, of: Case | None = None) -> str:
    """Return the problems of a response."""
    return "; ".join(find_problems(TARGETS["JWT"], of or case(), answer))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_every_case_detects_a_hub_without_access_control(target: Target) -> None:
    """A hub fails every case if it grants sessions or redirects to other sites."""
    lets_in = Response(status=200, headers=(("Set-Cookie", "jupyterhub-hub-login=abc; Path=/"),))
    sends_away = Response(status=302, headers=(("Location", "https://x.example/"),))

    assert not [each.id for each in cases(target) if not each.lets_in and not find_problems(target, each, lets_in)]
    assert not [each.id for each in cases(target) if not find_problems(target, each, sends_away)]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_case_names_are_unique(target: Target) -> None:
    """Each case has a different id."""
    names = [each.id for each in cases(target)]

    assert len(set(names)) == len(names)


def test_cases_depend_on_the_login() -> None:
    """Token cases need a token login, password cases a form, and redirect cases a valid login."""
    by_token, by_form = ({each.id for each in cases(TARGETS[login.value])} for login in (Login.JWT, Login.DUMMY))
    without_password = {each.id for each in cases(Target(url=URL, login=Login.DUMMY))}

    assert "token-alg_none" in by_token - by_form
    assert "login-without-xsrf" in by_form - by_token
    assert {f"next-{name}" for name in (*FOREIGN_ADDRESSES, *AMBIGUOUS_ADDRESSES)} <= by_form - without_password


def test_texts_contain_no_secrets() -> None:
    """Neither the repr nor the texts of a case contain tokens or passwords."""
    for each in cases(TARGETS["dummy"]):
        assert PASSWORD not in f"{each!r} {each.title} {each.request.how}"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response(status=200), "answered with 200 instead of 401"),
        (Response(status=None), "answered with a closed connection instead of 401"),
        (Response(status=500), "answered with 500 instead of 401: the hub has failed"),
        (Response(status=503), "answered with 503 instead of 401: it could not decide"),
        (Response(status=401, headers=(("set-cookie", "session=abc; Path=/"),)), "sets the cookie session"),
        (Response(status=401, headers=(("Set-Cookie", "od(d=abc"),)), "sets the cookie od(d"),
        (Response(status=401, body=f"<p>{SECRET}</p>"), "shows what it must not show"),
        (Response(status=401, headers=(("X-Echo", SECRET),)), "shows what it must not show"),
        (Response(status=401, body="Traceback (most recent call last):"), "shows a traceback"),
        (Response(status=401, headers=(("Location", "https://x.example/a"),)), "leads to x.example"),
    ],
    ids=["status", "closed", "500", "503", "cookie", "odd cookie", "body", "header", "traceback", "location"],
)
def test_improper_refusals_are_reported(answer: Response, sentence: str) -> None:
    """Each problem of a response is described without the secret."""
    assert sentence in problems(answer)
    assert SECRET not in problems(answer)


def test_a_proper_refusal_has_no_problems() -> None:
    """A refusal may set the anonymous XSRF cookie, remove a cookie or redirect within the hub."""
    headers = (
        ("Set-Cookie", "_xsrf=abc; Path=/jupyter/hub/"),
        ("Set-Cookie", 'jupyterhub-hub-login=""; expires=Fri, 21 Nov 2025 15:07:31 GMT; Path=/jupyter/hub/'),
        ("Location", "/jupyter/hub/login"),
    )

    assert not problems(Response(status=401, headers=headers))


@pytest.mark.parametrize("address", FOREIGN_ADDRESSES.values(), ids=FOREIGN_ADDRESSES.keys())
def test_redirects_to_another_site_are_recognised(address: str) -> None:
    """A redirect is resolved as browsers do it, in every spelling."""
    assert "leads to" in problems(Response(status=401, headers=(("Location", address),)))


def test_a_valid_login_may_set_its_cookie() -> None:
    """For a valid login only the redirect is checked."""
    login = case(expected=frozenset({302}), lets_in=True)
    cookie = ("Set-Cookie", "jupyterhub-hub-login=abc")

    assert not problems(Response(status=302, headers=(cookie, ("Location", "/jupyter/hub/home"))), login)
    assert problems(Response(status=302, headers=(cookie, ("Location", "//x.example"))), login)


def test_requests_are_sent_unmodified() -> None:
    """Dots, escapes and repeated headers reach the hub unchanged."""
    odd = Request(path="/a/../%2e%2e/\\b?q=//x", headers=(("X-Two", "1"), ("X-Two", "2")))

    with serve_response(REFUSAL) as (url, received):
        assert send(url, odd).status == 401

    assert received().startswith(b"GET /jupyter/a/../%2e%2e/\\b?q=//x HTTP/1.1\r\n")
    assert received().count(b"X-Two: ") == 2


def test_a_closed_connection_is_a_refusal() -> None:
    """A server that closes the connection grants no access."""
    with serve_response(b"") as (url, _):
        assert send(url, Request(path="/hub/login")).status is None


def test_an_unreachable_hub_is_an_error() -> None:
    """Without a listening server there is an error instead of a verdict."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(HubError, match="had no answer"):
        attempt(Target(url=f"http://127.0.0.1:{port}", login=Login.JWT), case())


# The command


def verdict(*problems_found: str) -> Verdict:
    """Make a verdict with these problems."""
    return Verdict(case=case(), status=401, problems=problems_found)


def run_attack(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict, json: bool = False) -> None:
    """Run dev.attack with these verdicts."""
    monkeypatch.setattr("hubpod.cli.console.quiet_context", lambda _: None)
    monkeypatch.setattr("hubpod_harness.attack.instance.attack_instance", lambda *_, **__: verdicts)
    attack(environment="dev_realauth", instance="mine", json=json)


def test_a_table_lists_every_case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each case has a line, and the last line counts the refusals."""
    run_attack(monkeypatch, verdict(), verdict())

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["attempt", "what", "how", "answer", "verdict"],
        ["token", "a", "token", "GET", "/hub/login", "401", "passed"],
    ]
    assert lines[-1] == "2 of 2 refused as they must be"


def test_a_failed_case_exits_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A failed case is described below the table and makes the exit code 1."""
    with pytest.raises(SystemExit) as end:
        run_attack(monkeypatch, verdict(), verdict("sets the cookie session"))

    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("FAILED")
    assert lines[-2:] == ["1 of 2 refused as they must be", "✗ token: sets the cookie session"]


def test_json_has_the_verdicts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the verdicts are printed as JSON, with the path of the request only."""
    run_attack(monkeypatch, verdict(), json=True)

    assert json.loads(capsys.readouterr().out) == [
        {
            "id": "token",
            "title": "a token",
            "how": "GET /hub/login",
            "expected": "401",
            "status": 401,
            "passed": True,
            "problems": [],
        }
    ]


def test_the_target_follows_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, login and password of the running instance are used."""
    instance = find_instance("dev_dummyauth", "mine")
    example = (PROJECT / "examples/dev_dummyauth/deploy-configmap.yaml").read_text()
    (tmp_path / "deploy-configmap.yaml").write_text(example.replace("change-this-password", PASSWORD))

    with serve_response(REFUSAL) as (url, _):
        now = SimpleNamespace(url=url, deploy_dir=str(tmp_path))
        monkeypatch.setattr("hubpod_harness.attack.instance.require_running", lambda *_: now)
        verdicts = attack_instance(SimpleNamespace(), instance, url="")  # type: ignore[arg-type] # nothing of it is used

    tried_by_form = [each.case for each in verdicts if each.case.request.form]
    sent = {value for each in tried_by_form for name, value in each.request.form if name == "password"}
    assert {PASSWORD, "change-this-password"} <= sent
    assert {each.status for each in verdicts} == {401}


def test_a_hub_behind_a_tunnel_needs_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a published port the error names --url."""
    instance = find_instance("dev_realauth_zenithclient", "mine")
    now = SimpleNamespace(url="", deploy_dir=str(PROJECT / "examples/dev_realauth_zenithclient"))
    monkeypatch.setattr("hubpod_harness.attack.instance.require_running", lambda *_: now)

    with pytest.raises(UsageError, match="Zenith tunnel"):
        attack_instance(SimpleNamespace(), instance, url="")  # type: ignore[arg-type]
