"""The hub client against a small HTTP server with canned pages, as JupyterHub 6 sends them."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from hubpod.client import (
    HubClient,
    HubError,
    HubTimeoutError,
    Kernel,
    LoginRefused,
    ProgressEvent,
    Server,
    Session,
    SpawnFailed,
    SpawnRefused,
)
from hubpod.client.browser import Browser
from hubpod.client.deadline import Deadline
from hubpod.probe.spawn import ProbeStepError, Step, probe_session
from hubpod.system.addresses import is_loopback

PASSWORD = "correct horse"
LOGIN_PAGE = '<form action="/b/hub/login?next=%2Fb%2Fhub%2Fhome" method="post">{}<input type="hidden" name="_xsrf"\
 value="anonymous"><input name="username"><input type="password" name="password"></form>'
SPAWN_PAGE = '{}<form id="spawn_form" action="/b/hub/spawn?_xsrf=mine" enctype="multipart/form-data">\
<select name="brics_project"><option>p.x<option>q.x</select></form>'
PENDING = {"progress": 10, "message": "waits", "slurm": {"job_id": "7", "state": "PENDING"}}
READY = {"progress": 100, "ready": True, "message": "Server ready"}
FAILED = {"progress": 100, "failed": True, "message": "Spawn failed: the job was cancelled"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of the client."""

    path: str
    headers: Message
    body: bytes


@dataclass(kw_only=True)
class Answer:
    """A response of the server."""

    status: int = 200
    body: str = ""
    location: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        """Write it out."""
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/json" if self.body.startswith("{") else "text/html")
        handler.send_header("Content-Length", str(len(self.body.encode()) + bool(self.hold)))
        for name, value in self.cookies.items():
            handler.send_header("Set-Cookie", f"{name}={value}; Path=/b/")
        if self.location:
            handler.send_header("Location", self.location)
        handler.end_headers()
        handler.wfile.write(self.body.encode())
        if self.hold:  # one byte is owed
            self.hold.wait(5)


def events(*models: Mapping[str, object]) -> Answer:
    """Return an event stream with these events."""
    return Answer(body="".join(f"\n\ndata: {json.dumps(model)}\n\n" for model in models))


def login(request: Request) -> Answer:
    """Respond to the login form, which needs the XSRF cookie and token and the right password."""
    form = parse_qs(request.body.decode())
    if "_xsrf=anonymous" not in (request.headers["Cookie"] or "") or form["_xsrf"] != ["anonymous"]:
        return Answer(status=403, body=LOGIN_PAGE.format('<p class="login_error">Login form invalid or expired.</p>'))
    if form["password"] != [PASSWORD]:
        message = '<p class="login_error">Invalid username or password</p>'
        return Answer(status=403, body=LOGIN_PAGE.format(message))
    return Answer(status=302, location="/b/hub/home", cookies={"session": "signed", "_xsrf": "mine"})


def user_api(request: Request) -> Answer:
    """Respond to the hub's API, which needs the XSRF token in a header."""
    ok = request.headers["X-XSRFToken"] == "mine" and request.headers["Sec-Fetch-Mode"] == "cors"
    return Answer(body='{"name": "alice", "servers": {}}') if ok else Answer(status=403, body='{"message": "no XSRF"}')


class FakeHub:
    """A hub that serves responses by method and path.

    Of a list, each response is served once, and the last one for all further requests.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, Request]] = []
        self.answers: dict[str, Answer | list[Answer] | Callable[[Request], Answer]] = {
            "GET /b/hub/login": Answer(body=LOGIN_PAGE.format(""), cookies={"_xsrf": "anonymous"}),
            "POST /b/hub/login": login,
            "GET /b/hub/home": Answer(body="<h1>Home</h1>"),
            "GET /b/hub/api/user": user_api,
            "GET /b/hub/api/users/alice": user_api,
            "GET /b/hub/spawn": Answer(body=SPAWN_PAGE.format("")),
            "POST /b/hub/spawn": Answer(status=302, location="/b/hub/spawn-pending/alice"),
            "GET /b/hub/api/users/alice/server/progress": events({"progress": 0}, PENDING, READY),
            "DELETE /b/hub/api/users/alice/server": Answer(status=204),
        }
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                hub.answer(self.command, Request(path=self.path, headers=self.headers, body=body)).send(self)

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - named by http.server

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.client = HubClient(f"{self.origin}/b/")
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, method: str, request: Request) -> Answer:
        """The answer to a request, which is kept."""
        key = f"{method} {urlsplit(request.path).path}"
        self.seen.append((key, request))
        answer = self.answers.get(key, Answer(status=404, body='<div class="error"><h1>404 : Not Found</h1></div>'))
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer if isinstance(answer, Answer) else answer(request)

    def log_in(self) -> Session:
        """Log in as the only user."""
        return self.client.login("alice", PASSWORD)

    def requested(self) -> list[str]:
        """Methods and paths of the requests so far."""
        return [key for key, _ in self.seen]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub, with a proxy in the environment that does not exist."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake = FakeHub()
    yield fake
    fake.close()


@pytest.fixture
def session(hub: FakeHub) -> Session:
    """A session at the fake hub."""
    return hub.log_in()


def test_login_reads_the_user_name_from_the_hub(session: Session) -> None:
    """The login posts the form and reads the user name from the hub's API.

    The request has cookie and token, and bypasses the proxy.
    """
    assert session.user == "alice"


def test_client_lists_its_sessions(hub: FakeHub) -> None:
    """Successful logins are listed in order, refused ones are not."""
    first, second = hub.client.login("alice", PASSWORD), hub.client.login("alice", PASSWORD)
    with pytest.raises(LoginRefused):
        hub.client.login("alice", "wrong")

    assert hub.client.sessions == (first, second)


def test_wrong_password_is_refused_with_the_pages_message(hub: FakeHub) -> None:
    """The error has the status and the sentence, but not the password."""
    with pytest.raises(LoginRefused) as caught:
        hub.client.login("alice", "wrong horse")

    assert (caught.value.status, caught.value.sentence) == (403, "Invalid username or password")
    assert "horse" not in str(caught.value)
    assert caught.value.response is not None
    assert "Invalid username" in caught.value.response.text
    assert caught.value.hub_log == ()


def test_login_header_is_sent_to_the_hub_only(hub: FakeHub) -> None:
    """The header is sent along redirects, but not to another origin and not after the login."""
    other = FakeHub()
    hub.answers["GET /b/hub/login"] = Answer(status=302, location=f"{other.origin}/away")
    other.answers["GET /away"] = Answer(status=302, location=f"{hub.origin}/b/hub/home", cookies={"_xsrf": "mine"})

    session = hub.client.login_with_token("token")
    other.close()

    sent = {key: request.headers["X-Auth-Id-Token"] for key, request in hub.seen + other.seen}
    assert sent == {
        "GET /b/hub/login": "token",
        "GET /away": None,
        "GET /b/hub/home": "token",
        "GET /b/hub/api/user": None,
    }
    assert session.user == "alice"


def test_login_that_ends_at_the_login_page_is_refused(hub: FakeHub) -> None:
    """A login that ends at the login form with status 200 is refused.

    A hub that ignores the header answers so.
    """
    with pytest.raises(LoginRefused, match="ended at /b/hub/login: not the home page"):
        hub.client.login_with_headers({"X-Auth-Id-Token": "token"})


def test_error_of_an_unreachable_hub_hides_the_query(hub: FakeHub) -> None:
    """The error of a refused connection has the reason but not the query.

    The query may contain secrets.
    """
    hub.close()

    with pytest.raises(HubError, match=r"^GET /b/hub/login had no answer: Connection refused$") as caught:
        hub.client.login("alice", PASSWORD)

    assert (caught.value.status, caught.value.response) == (None, None)


def test_redirect_loop_ends(hub: FakeHub) -> None:
    """A redirect loop is an error."""
    hub.answers["GET /b/hub/login"] = Answer(status=302, location="/b/hub/login")

    with pytest.raises(HubError, match="redirected more than 20 times"):
        hub.client.login("alice", PASSWORD)


def test_spawn_follows_the_progress_until_ready(hub: FakeHub, session: Session) -> None:
    """A spawn posts the form, passes each event on and learns the job id.

    The form has its defaults and the options.
    """
    told: list[ProgressEvent] = []

    server = session.spawn({"runtime": "1:00"}, deadline_s=5, on_event=told.append)

    assert [event.progress for event in told] == [0, 10, 100]
    assert (server.job_id, server.events) == ("7", tuple(told))
    body = next(request.body for key, request in hub.seen if key == "POST /b/hub/spawn").decode()
    assert 'name="brics_project"\r\n\r\np.x\r\n' in body
    assert 'name="runtime"\r\n\r\n1:00\r\n' in body


@pytest.mark.parametrize("project", ["q", "q.x"])
def test_spawn_matches_the_project(hub: FakeHub, session: Session, project: str) -> None:
    """A project is given with or without its portal, and overrides the one in the options."""
    session.spawn(project=project, deadline_s=5)
    session.submit({"brics_project": "p.x", "ngpus": "1"}, project=project)

    bodies = [request.body.decode() for key, request in hub.seen if key == "POST /b/hub/spawn"]
    assert ['name="brics_project"\r\n\r\nq.x\r\n' in body and "p.x" not in body for body in bodies] == [True, True]
    assert 'name="ngpus"\r\n\r\n1\r\n' in bodies[1]


def test_project_that_is_not_offered_is_not_submitted(hub: FakeHub, session: Session) -> None:
    """A project that the form does not offer is an error before anything is submitted."""
    with pytest.raises(HubError, match=r"project r is not among what the spawn form offers: p\.x, q\.x"):
        session.spawn(project="r")

    assert "POST /b/hub/spawn" not in hub.requested()
    assert not session.servers


def test_session_has_one_object_for_each_server(hub: FakeHub, session: Session) -> None:
    """A session has one object for each server name.

    The object has the events of the last start only.
    """
    hub.answers["GET /b/hub/api/users/alice/server/progress"] = [events(PENDING, READY), events(READY)]
    first = session.spawn(deadline_s=5)
    job_id = first.job_id
    second = session.spawn(deadline_s=5)

    assert (first is second, session.server() is first, job_id, first.job_id) == (True, True, "7", "")
    assert session.server("other") is not first
    assert dict(session.servers) == {"": first, "other": session.server("other")}


@pytest.mark.parametrize("status", [200, 400])
def test_refusal_of_options_has_the_sentence(hub: FakeHub, session: Session, status: int) -> None:
    """A refusal of options is recognised by the message on the page.

    The hub reports a ValueError with status 200.
    """
    body = SPAWN_PAGE.format('<p class="spawn-error-msg">Error: ngpus is &gt; 4</p>')
    hub.answers["POST /b/hub/spawn"] = Answer(status=status, body=body)

    with pytest.raises(SpawnRefused) as caught:
        session.spawn({"ngpus": "5"})

    assert (caught.value.status, caught.value.sentence) == (status, "ngpus is > 4")
    assert caught.value.response is not None
    assert caught.value.response.status_code == status


@pytest.mark.parametrize(
    ("location", "reason"),
    [("/b/user/alice/", "a server seems to run already"), ("/b/hub/login?next=x", "the session has ended")],
)
def test_missing_form_says_why(hub: FakeHub, session: Session, location: str, reason: str) -> None:
    """The hub redirects from the spawn form if a server runs or the session has ended."""
    hub.answers["GET /b/hub/spawn"] = Answer(status=302, location=location)

    with pytest.raises(SpawnRefused, match=reason):
        session.spawn_form()


def test_failed_event_ends_the_spawn(hub: FakeHub, session: Session) -> None:
    """The message of the failed event is the error's sentence."""
    hub.answers["GET /b/hub/api/users/alice/server/progress"] = events(PENDING, FAILED)

    with pytest.raises(SpawnFailed, match="the server of alice failed to start: the job was cancelled"):
        session.spawn({})


def test_progress_stream_reconnects(hub: FakeHub, session: Session) -> None:
    """A progress stream that ends early is opened again, as an EventSource does."""
    hub.answers["GET /b/hub/api/users/alice/server/progress"] = [events(PENDING), events(READY)]

    assert session.spawn({}, deadline_s=5).events[-1].ready


def test_spawn_has_a_deadline(hub: FakeHub, session: Session) -> None:
    """A server that never becomes ready is a timeout, and the error names the server."""
    hub.answers["GET /b/hub/api/users/alice/server/progress"] = events(PENDING)

    with pytest.raises(HubTimeoutError, match=r"the start of the server of alice did not happen within 0\.3 s"):
        session.spawn({}, deadline_s=0.3)


def test_silent_stream_has_a_deadline(hub: FakeHub, session: Session) -> None:
    """An open stream without data ends at the deadline."""
    answer = events(PENDING)
    answer.hold = threading.Event()
    hub.answers["GET /b/hub/api/users/alice/server/progress"] = answer

    with pytest.raises(HubTimeoutError, match=r"the start of the server of alice did not happen within 0\.2 s"):
        session.spawn({}, deadline_s=0.2)
    answer.hold.set()


def test_stop_waits_until_the_hub_has_no_server(hub: FakeHub, session: Session) -> None:
    """The stop ends when the server is not in the hub's model of the user."""
    model = "GET /b/hub/api/users/alice"
    hub.answers[model] = [Answer(body='{"servers": {"": {"pending": "stop"}}}'), Answer(body='{"servers": {}}')]

    session.server().stop(deadline_s=5)

    assert hub.requested()[-3:] == ["DELETE /b/hub/api/users/alice/server", model, model]


def test_stop_has_a_deadline(hub: FakeHub, session: Session) -> None:
    """A server that does not stop is a timeout, and the error names the server."""
    hub.answers["GET /b/hub/api/users/alice"] = Answer(body='{"servers": {"": {}}}')

    with pytest.raises(HubTimeoutError, match="the stop of the server of alice"):
        session.server().stop(deadline_s=0.3)


def test_page_in_place_of_an_api_is_an_error(hub: FakeHub, session: Session) -> None:
    """An HTML page in place of JSON, as from an ingress, is a HubError."""
    hub.answers["GET /b/hub/api/users/alice"] = Answer(body="<h1>Welcome</h1>")

    with pytest.raises(HubError, match="GET /b/hub/api/users/alice was answered with something other than JSON"):
        session.server().is_active()


def test_opening_a_dead_server_is_an_error(hub: FakeHub, session: Session) -> None:
    """The error for a dead server has the status and the sentence of the proxy's page."""
    body = '<div class="error"><h1>503</h1><p>Your server appears to be <a href="">down</a>.</p></div>'
    hub.answers["GET /b/user/alice/lab"] = Answer(status=503, body=body)

    with pytest.raises(HubError) as caught:
        session.server().open()

    assert (caught.value.status, caught.value.sentence) == (503, "Your server appears to be down.")


def test_refused_websocket_has_a_status(hub: FakeHub) -> None:
    """The error for a refused WebSocket has the status."""
    with pytest.raises(HubError, match="WebSocket /b/channels was refused with status 404"):
        Browser(hub.origin).websocket(f"{hub.origin}/b/channels")


def test_logout_drops_the_cookies(hub: FakeHub, session: Session) -> None:
    """After logout no cookie of the session is sent."""
    hub.answers["GET /b/hub/logout"] = Answer(status=302, location="/b/hub/login")

    session.logout()

    with pytest.raises(HubError, match="no XSRF"):
        session.server().is_active()
    assert hub.seen[-1][1].headers["Cookie"] is None


def test_reprs_contain_no_secret(hub: FakeHub, session: Session) -> None:
    """Representations have names and addresses only."""
    server = session.server("second")

    shown = repr([hub.client, session, server])
    assert shown == f"[HubClient('{hub.origin}/b'), Session('{hub.origin}/b', user='alice'), Server('alice/second')]"


def test_probe_reports_each_step(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe reports job, node and result, and the report can be written as JSON.

    It waits until the job has left Slurm.
    """
    monkeypatch.setattr("hubpod.probe.spawn._run_code", lambda _: ("20", "7", "node1"))
    hub.answers["GET /b/user/alice/lab"] = Answer(body="<h1>Lab</h1>")
    before = time.time()

    report = probe_session(hub.log_in, project="q", job_gone=lambda job_id: job_id == "7")

    shown = json.loads(json.dumps(report.as_dict()))
    timeline, began = shown.pop("timeline"), shown.pop("began")
    assert shown == {"user": "alice", "project": "q.x", "job_id": "7", "node": "node1", "result": "20"}
    assert [step["name"] for step in timeline] == [
        "login",
        "submit",
        "pending",
        "ready",
        "open",
        "kernel",
        "stop",
        "gone",
    ]
    assert before - 0.001 <= began <= time.time()
    assert sum(step["took_s"] for step in timeline) == pytest.approx(timeline[-1]["at_s"], abs=0.01)


def test_probe_names_the_step_and_stops_the_server(hub: FakeHub) -> None:
    """If the kernel is unreachable, the error has the timeline, and the server is stopped."""
    told: list[Step] = []

    with pytest.raises(ProbeStepError, match="the probe failed at open: opening the server of alice") as caught:
        probe_session(hub.log_in, project="q", on_step=told.append)

    assert [step.name for step in told] == ["login", "submit", "pending", "ready"]
    assert (caught.value.step, caught.value.timeline) == ("open", tuple(told))
    assert "DELETE /b/hub/api/users/alice/server" in hub.requested()


def test_probe_does_not_stop_a_running_server(hub: FakeHub) -> None:
    """If the user has a running server, the probe fails at submit and does not stop it."""
    hub.answers["POST /b/hub/spawn"] = Answer(status=400, body='<p class="spawn-error-msg">is already running</p>')

    with pytest.raises(ProbeStepError, match=r"at submit.*is already running"):
        probe_session(hub.log_in)

    assert "DELETE /b/hub/api/users/alice/server" not in hub.requested()


def test_probe_reports_a_server_that_it_could_not_stop(hub: FakeHub) -> None:
    """If the stop fails too, the first error is raised with the second in its detail."""
    hub.answers["DELETE /b/hub/api/users/alice/server"] = Answer(status=500, body='{"message": "busy"}')

    with pytest.raises(ProbeStepError, match="at open") as caught:
        probe_session(hub.log_in)

    assert any(line.startswith("The server may still run") and "busy" in line for line in caught.value.detail)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.example.org", False), ("10.0.0.1", False)],
)
def test_loopback_hosts_are_reached_directly(host: str, expected: bool) -> None:  # noqa: FBT001
    """Only this machine's own addresses bypass the environment's proxy."""
    assert is_loopback(host) is expected


def test_a_past_deadline_names_the_awaited_event() -> None:
    """Waiting and pausing after the deadline are errors."""
    with pytest.raises(HubTimeoutError, match="the bus did not happen within 0 s"):
        Deadline(0, "the bus").pause(1)


def test_code_runs_in_a_new_kernel(hub: FakeHub, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel is started for the code and shut down after it."""
    hub.answers["GET /b/user/alice/lab"] = Answer(body="<h1>Lab</h1>")
    hub.answers["POST /b/user/alice/api/kernels"] = Answer(status=201, body='{"id": "k1"}')
    hub.answers["DELETE /b/user/alice/api/kernels/k1"] = Answer(status=204)
    monkeypatch.setattr(Browser, "websocket", lambda *_, **__: nullcontext())
    monkeypatch.setattr(Kernel, "execute", lambda kernel, code: f"{kernel.kernel_id} ran {code}")

    assert session.server().execute("5 * 4") == "k1 ran 5 * 4"
    assert hub.requested()[-2:] == ["POST /b/user/alice/api/kernels", "DELETE /b/user/alice/api/kernels/k1"]


def test_named_server_has_its_own_addresses(hub: FakeHub, session: Session) -> None:
    """A named server is stopped under its quoted name."""
    hub.answers["DELETE /b/hub/api/users/alice/servers/a%20b"] = Answer(status=204)

    server: Server = session.server("a b")
    server.stop()

    assert "DELETE /b/hub/api/users/alice/servers/a%20b" in hub.requested()


def test_names_below_localhost_are_this_machine(hub: FakeHub) -> None:
    """A hub with subdomains below localhost is reached without a resolver, and a server at its own name."""
    port = urlsplit(hub.origin).port
    origin, own = f"http://hub.localhost:{port}", f"http://alice.hub.localhost:{port}"
    hub.answers["GET /b/user/alice/lab"] = [
        Answer(status=302, location=f"{own}/b/user/alice/lab"),
        Answer(body="JupyterLab"),
    ]
    hub.answers["POST /b/user/alice/api/kernels"] = Answer(status=403, body="{}")

    server = HubClient(f"{origin}/b").login("alice", PASSWORD).server()
    page = server.open()
    with pytest.raises(HubError), server.kernel():
        pass

    assert page == "JupyterLab"
    assert hub.seen[-1][1].headers["Host"] == hub.seen[-1][1].headers["Origin"].removeprefix("http://") == own[7:]
    assert hub.seen[0][1].headers["Host"] == origin[7:]
