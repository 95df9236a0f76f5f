"""What a hub must refuse: the table of attempts, how they are sent, and what counts as a refusal."""

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
from hubpod.environments import Login, find_instance
from hubpod.errors import UsageError
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
    """Read all of a request: who hangs up on the rest of it may take the answer back."""
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
def answering(answer: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """A hub's address at which every connection gets this answer, and what the first one has sent."""
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
    """A case of a token that must be refused."""
    values: dict[str, object] = {
        "id": "token",
        "title": "a token",
        "request": Request(path="/hub/login"),
        "expected": frozenset({401}),
        "unseen": (SECRET,),
    }
    return Case(**{**values, **changes})  # type: ignore[arg-type] # values of the right types, by name


def problems(answer: Response, of: Case | None = None) -> str:
    """What is wrong with an answer."""
    return "; ".join(find_problems(TARGETS["JWT"], of or case(), answer))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_every_attempt_fails_at_a_hub_that_lets_everybody_in(target: Target) -> None:
    """No attempt is there for show: a hub that answers a stranger with a session, or sends away, fails all of them."""
    lets_in = Response(status=200, headers=(("Set-Cookie", "jupyterhub-hub-login=abc; Path=/"),))
    sends_away = Response(status=302, headers=(("Location", "https://x.example/"),))

    assert not [each.id for each in cases(target) if not each.lets_in and not find_problems(target, each, lets_in)]
    assert not [each.id for each in cases(target) if not find_problems(target, each, sends_away)]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_attempts_have_names_of_their_own(target: Target) -> None:
    """Each attempt can be told from the others."""
    names = [each.id for each in cases(target)]

    assert len(set(names)) == len(names)


def test_what_is_attempted_depends_on_the_login() -> None:
    """Tokens are tried where tokens log in, passwords where a form does, and addresses only behind a good login."""
    by_token, by_form = ({each.id for each in cases(TARGETS[login.value])} for login in (Login.JWT, Login.DUMMY))
    without_password = {each.id for each in cases(Target(url=URL, login=Login.DUMMY))}

    assert "token-alg_none" in by_token - by_form
    assert "login-without-xsrf" in by_form - by_token
    assert {f"next-{name}" for name in (*FOREIGN_ADDRESSES, *AMBIGUOUS_ADDRESSES)} <= by_form - without_password


def test_what_is_sent_is_in_no_text() -> None:
    """Neither a value nor the table's texts show tokens and passwords."""
    for each in cases(TARGETS["dummy"]):
        assert PASSWORD not in f"{each!r} {each.title} {each.request.how}"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response(status=200), "answered with 200 instead of 401"),
        (Response(status=None), "answered with a closed connection instead of 401"),
        (Response(status=500), "answered with 500 instead of 401: the hub has failed"),
        (Response(status=503), "answered with 503 instead of 401: it could not judge"),
        (Response(status=401, headers=(("set-cookie", "session=abc; Path=/"),)), "sets the cookie session"),
        (Response(status=401, headers=(("Set-Cookie", "od(d=abc"),)), "sets the cookie od(d"),
        (Response(status=401, body=f"<p>{SECRET}</p>"), "shows what it must not show"),
        (Response(status=401, headers=(("X-Echo", SECRET),)), "shows what it must not show"),
        (Response(status=401, body="Traceback (most recent call last):"), "shows a traceback"),
        (Response(status=401, headers=(("Location", "https://x.example/a"),)), "leads to x.example"),
    ],
    ids=["status", "closed", "500", "503", "cookie", "odd cookie", "body", "header", "traceback", "location"],
)
def test_what_is_no_refusal_is_told(answer: Response, sentence: str) -> None:
    """Each thing that a refusal must not do is said in a sentence, without the secret."""
    assert sentence in problems(answer)
    assert SECRET not in problems(answer)


def test_a_plain_refusal_is_one() -> None:
    """The anonymous XSRF cookie, a cookie's removal and a place at the hub itself are nothing wrong."""
    headers = (
        ("Set-Cookie", "_xsrf=abc; Path=/jupyter/hub/"),
        ("Set-Cookie", 'jupyterhub-hub-login=""; expires=Fri, 21 Nov 2025 15:07:31 GMT; Path=/jupyter/hub/'),
        ("Location", "/jupyter/hub/login"),
    )

    assert not problems(Response(status=401, headers=headers))


@pytest.mark.parametrize("address", FOREIGN_ADDRESSES.values(), ids=FOREIGN_ADDRESSES.keys())
def test_a_way_to_another_site_is_seen_in_every_spelling(address: str) -> None:
    """A redirect is read as browsers read it, so that none of the spellings gets past."""
    assert "leads to" in problems(Response(status=401, headers=(("Location", address),)))


def test_a_good_login_may_set_its_cookie() -> None:
    """Where the login is a good one, only the way on is judged."""
    login = case(expected=frozenset({302}), lets_in=True)
    cookie = ("Set-Cookie", "jupyterhub-hub-login=abc")

    assert not problems(Response(status=302, headers=(cookie, ("Location", "/jupyter/hub/home"))), login)
    assert problems(Response(status=302, headers=(cookie, ("Location", "//x.example"))), login)


def test_a_path_is_sent_as_it_is_written() -> None:
    """Nobody tidies up dots, escapes or headers that are there twice on the way to the hub."""
    odd = Request(path="/a/../%2e%2e/\\b?q=//x", headers=(("X-Two", "1"), ("X-Two", "2")))

    with answering(REFUSAL) as (url, received):
        assert send(url, odd).status == 401

    assert received().startswith(b"GET /jupyter/a/../%2e%2e/\\b?q=//x HTTP/1.1\r\n")
    assert received().count(b"X-Two: ") == 2


def test_a_closed_connection_is_an_answer() -> None:
    """Who hangs up has not let anybody in."""
    with answering(b"") as (url, _):
        assert send(url, Request(path="/hub/login")).status is None


def test_a_hub_that_is_not_there_has_refused_nothing() -> None:
    """Where nobody listens, there is an error instead of a verdict."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(HubError, match="had no answer"):
        attempt(Target(url=f"http://127.0.0.1:{port}", login=Login.JWT), case())


# The command


def verdict(*told: str) -> Verdict:
    """A verdict with these problems."""
    return Verdict(case=case(), status=401, problems=told)


def type_attack(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict, json: bool = False) -> None:
    """Type dev.attack where the attempts end like this."""
    monkeypatch.setattr("hubpod.cli.console.quiet_context", lambda: None)
    monkeypatch.setattr("hubpod_harness.attack.instance.attack_instance", lambda *_, **__: verdicts)
    attack(environment="dev_realauth", instance="mine", json=json)


def test_a_command_without_failures_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each attempt has its line, and the last line counts them."""
    type_attack(monkeypatch, verdict(), verdict())

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["attempt", "what", "how", "answer", "verdict"],
        ["token", "a", "token", "GET", "/hub/login", "401", "passed"],
    ]
    assert lines[-1] == "2 of 2 refused as they must be"


def test_a_failure_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was not refused is said in a sentence below the table, and is the command's exit code."""
    with pytest.raises(SystemExit) as end:
        type_attack(monkeypatch, verdict(), verdict("sets the cookie session"))

    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("FAILED")
    assert lines[-2:] == ["1 of 2 refused as they must be", "✗ token: sets the cookie session"]


def test_a_program_gets_the_verdicts_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json the verdicts are values, without anything that was sent but its path."""
    type_attack(monkeypatch, verdict(), json=True)

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


def test_an_instances_settings_say_what_is_attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running instance's own address, login and password are those that are tried."""
    instance = find_instance("dev_dummyauth", "mine")
    example = (PROJECT / "examples/dev_dummyauth/deploy-configmap.yaml").read_text()
    (tmp_path / "deploy-configmap.yaml").write_text(example.replace("change-this-password", PASSWORD))

    with answering(REFUSAL) as (url, _):
        now = SimpleNamespace(url=url, deploy_dir=str(tmp_path))
        monkeypatch.setattr("hubpod_harness.attack.instance.require_running", lambda *_: now)
        verdicts = attack_instance(SimpleNamespace(), instance, url="")  # type: ignore[arg-type] # nothing of it is used

    tried_by_form = [each.case for each in verdicts if each.case.request.form]
    sent = {value for each in tried_by_form for name, value in each.request.form if name == "password"}
    assert {PASSWORD, "change-this-password"} <= sent
    assert {each.status for each in verdicts} == {401}


def test_a_hub_behind_a_tunnel_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine publishes nothing, the address at the other end of the tunnel is asked for."""
    instance = find_instance("dev_realauth_zenithclient", "mine")
    now = SimpleNamespace(url="", deploy_dir=str(PROJECT / "examples/dev_realauth_zenithclient"))
    monkeypatch.setattr("hubpod_harness.attack.instance.require_running", lambda *_: now)

    with pytest.raises(UsageError, match="Zenith tunnel"):
        attack_instance(SimpleNamespace(), instance, url="")  # type: ignore[arg-type]
