# ruff: noqa: INP001 - a script of a container, in no package
"""The issuer of the test harness: a small HTTP server that says what it was told to say.

It serves documents on port 9000, such as an OIDC discovery document and a key set, and is steered on port 9001. It has
no private keys and knows nothing of OIDC: who steers it makes the documents.

The control API. Every request but `GET /ready` carries `Authorization: Bearer TOKEN`, where TOKEN is the content of the
token file; otherwise the answer is 401.

    GET /ready      200 as soon as the server runs
    GET /requests   {"PATH": COUNT, ...}: requests for documents since the start, without their queries
    PUT /state      204; replaces the whole state with {"mood": ..., "delay_s": 2.5, "documents": {"PATH": {"status":
                    200, "content_type": "application/json", "body": "{}", "headers": {}, "endless": false}}}

All but `mood` may be left out. Moods: `up` answers at once; `down` closes the listening socket, so that connections
are refused; `slow` answers after `delay_s` seconds; `hanging` takes requests and never answers. A new state ends the
waiting of requests that came under the old one: slow ones are answered, hanging ones are cut. An `endless` document
repeats its body until the client goes away. Paths without a document are answered with 404.
"""

import argparse
import hmac
import json
import logging
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOG = logging.getLogger("issuer")
TOKEN_FILE = Path("/etc/hubpod/credentials/control_token")
MOODS = ("up", "down", "slow", "hanging")
MAX_STATE_DIGITS = 8  # of the number of bytes: below 100 MB
MAX_PATHS = 10_000
OTHER_PATHS = "(other paths)"
CLIENT_TIMEOUT_S = 10.0  # for a client that neither sends nor reads
LOOK_INTERVAL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Document:
    """What is answered at one path."""

    status: int = 200
    content_type: str = "application/json"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False

    def __post_init__(self) -> None:
        texts = (self.content_type, self.body, *self.headers.keys(), *self.headers.values())
        if not isinstance(self.status, int) or not all(isinstance(text, str) for text in texts):
            raise TypeError("a document's status is a number, its content_type, body and headers are strings")


@dataclass(frozen=True, kw_only=True)
class State:
    """How the server behaves; `replaced` is set when another state takes over."""

    mood: str = "up"
    delay_s: float = 0.0
    documents: Mapping[str, Document] = field(default_factory=dict)
    replaced: threading.Event = field(default_factory=threading.Event)


def parsed_state(body: bytes) -> State:
    """Return the state that a request describes; ValueError or TypeError when it is none."""
    given = dict(json.loads(body))
    if given.get("mood") not in MOODS:
        raise ValueError(f"a state has a mood, one of {', '.join(MOODS)}")
    documents = {str(path): Document(**values) for path, values in dict(given.get("documents", {})).items()}
    delay_s = float(given.get("delay_s", 0))
    if not 0 <= delay_s <= threading.TIMEOUT_MAX:
        raise ValueError("delay_s is not a number of seconds")
    return State(mood=given["mood"], delay_s=delay_s, documents=documents)


class Server(ThreadingHTTPServer):
    """A thread per connection, which a bad client can end but not the server."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request: object, _client: object) -> None:
        """Note the kind of error only; clients that go away are daily business."""
        LOG.info("a request ended with %s", type(sys.exc_info()[1]).__name__)


class Issuer:
    """The documents' server with its state, and the counts of its requests."""

    def __init__(self, port: int) -> None:
        self.state = State()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._server: Server | None = serving(port, DocumentHandler, issuer=self)
        self.port: int = self._server.server_address[1]

    def become(self, state: State) -> None:
        """Take on a state; OSError when the port cannot be had again."""
        with self._lock:
            if state.mood != "down" and self._server is None:
                self._server = serving(self.port, DocumentHandler, issuer=self)
            before, self.state = self.state, state
            before.replaced.set()
            if state.mood == "down" and self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def count(self, path: str) -> None:
        """Count a request; the number of different paths is limited."""
        with self._lock:
            self.counts[path if path in self.counts or len(self.counts) < MAX_PATHS else OTHER_PATHS] += 1


class Handler(BaseHTTPRequestHandler):
    """What both ports share: the log, the limits and the answer."""

    timeout = CLIENT_TIMEOUT_S
    server_version, sys_version = "issuer", ""
    issuer: Issuer

    @property
    def where(self) -> str:
        """The path that is asked for, without its query; empty when the request is garbage."""
        return str(getattr(self, "path", "")).partition("?")[0]

    def answer(self, document: Document) -> None:
        """Send a document, repeated as long as the state lasts when it is endless."""
        body, state = document.body.encode(errors="replace"), self.issuer.state
        self.send_response(document.status)
        self.send_header("Content-Type", document.content_type)
        for name, value in document.headers.items():
            self.send_header(name, value)
        if not document.endless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        while document.endless and body and not state.replaced.is_set():
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", _size: int | str = "-") -> None:
        """Write the one line of a request, without headers and query."""
        where = self.where.encode("unicode_escape").decode()  # one line, whatever was asked for
        LOG.info("%s %s %s", self.command or "?", where, int(code) if isinstance(code, int) else code)

    def log_error(self, *_: object) -> None:
        """Write nothing: every answer is logged once."""


class DocumentHandler(Handler):
    """The documents, in the mood of the moment."""

    def do_GET(self) -> None:
        """Answer with the document of that path, sooner or later."""
        state = self.issuer.state
        self.issuer.count(self.where)
        self._wait(state, {"slow": state.delay_s, "hanging": threading.TIMEOUT_MAX}.get(state.mood, 0.0))
        if state.mood == "hanging":
            self.log_request("no answer")
            return
        self.answer(state.documents.get(self.where, Document(status=404, content_type="text/plain")))

    def _wait(self, state: State, delay_s: float) -> None:
        """Wait for the delay, or as long as the state and the client's patience last."""
        end = time.monotonic() + delay_s
        while (left := end - time.monotonic()) > 0 and not state.replaced.wait(min(left, LOOK_INTERVAL_S)):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return


class ControlHandler(Handler):
    """The control API."""

    token: bytes

    def do_GET(self) -> None:
        """Tell that the server is ready, or what it was asked for."""
        if self.where == "/ready":
            self.answer(Document(content_type="text/plain"))
        elif self._permitted():
            body = json.dumps(dict(self.issuer.counts))
            self.answer(Document(body=body) if self.where == "/requests" else Document(status=404))

    def do_PUT(self) -> None:
        """Replace the state."""
        if not self._permitted():
            return
        size = self.headers.get("Content-Length", "")
        if not (size.isascii() and size.isdigit() and len(size) <= MAX_STATE_DIGITS):
            self.answer(Document(status=413))
        elif self.where != "/state":
            self.answer(Document(status=404))
        else:
            self.answer(self._become(self.rfile.read(int(size))))

    def _become(self, body: bytes) -> Document:
        try:
            self.issuer.become(parsed_state(body))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            return Document(status=400, content_type="text/plain", body=str(error))
        except OSError as error:
            return Document(status=503, content_type="text/plain", body=f"cannot listen: {error.strerror}")
        return Document(status=204)

    def _permitted(self) -> bool:
        given = self.headers.get("Authorization", "").encode(errors="replace")
        permitted = hmac.compare_digest(given, b"Bearer " + self.token)
        if not permitted:
            self.answer(Document(status=401, headers={"WWW-Authenticate": "Bearer"}))
        return permitted


def serving(port: int, handler: type[Handler], **attributes: object) -> Server:
    """Start a server on all addresses, in a thread of its own."""
    server = Server(("0.0.0.0", port), type("Served", (handler,), attributes))  # noqa: S104 - a container of its own
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    parser = argparse.ArgumentParser(description="the issuer of the test harness")
    parser.add_argument("--port", type=int, default=9000, help="of the documents; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=9001, help="of the control API; 0 takes a free one")
    parser.add_argument("--token-file", type=Path, default=TOKEN_FILE, help="file with the control API's token")
    given = parser.parse_args()
    token = given.token_file.read_bytes().strip()
    if not token:
        parser.error(f"{given.token_file} is empty")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    issuer = Issuer(given.port)
    control = serving(given.control_port, ControlHandler, issuer=issuer, token=token)
    LOG.info("documents on port %d, control on port %d", issuer.port, control.server_address[1])
    stopped.wait()


if __name__ == "__main__":
    main()
