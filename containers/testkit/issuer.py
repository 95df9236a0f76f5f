# ruff: noqa: INP001 - a script of a container, in no package
"""The issuer of the test harness: a small HTTP server that serves the documents it is given.

It serves documents on port 9000, such as an OIDC discovery document and a key set, and has a control API on port 9001.
It has no private keys and does not know OIDC: the client of the control API creates the documents.

The control API. Every request but `GET /ready` needs `Authorization: Bearer TOKEN`, where TOKEN is the content of the
token file; otherwise the answer is 401.

    GET /ready      200 once the server runs
    GET /requests   {"PATH": COUNT, ...}: requests for documents since the start, without their queries
    PUT /state      204; replaces the whole state by {"mood": ..., "delay_s": 2.5, "documents": {"PATH": {"status":
                    200, "content_type": "application/json", "body": "{}", "headers": {}, "endless": false}}}

All keys but `mood` are optional. Moods: `up` answers at once; `down` closes the listening socket, so that connections
are refused; `slow` answers after `delay_s` seconds; `hanging` accepts requests and never answers. A new state ends the
delays of the old one: slow requests are answered, hanging ones are closed. An `endless` document repeats its body until
the client disconnects. Paths without a document are answered with 404.
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
MAX_STATE_DIGITS = 8  # of Content-Length: below 100 MB
MAX_PATHS = 10_000
OTHER_PATHS = "(other paths)"
CLIENT_TIMEOUT_S = 10.0  # for a client that neither sends nor receives
LOOK_INTERVAL_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Document:
    """The answer to requests for one path."""

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
    """The behaviour of the server; `replaced` is set once another state replaces it."""

    mood: str = "up"
    delay_s: float = 0.0
    documents: Mapping[str, Document] = field(default_factory=dict)
    replaced: threading.Event = field(default_factory=threading.Event)


def parse_state(body: bytes) -> State:
    """Parse a state from the body of a request; ValueError or TypeError if it is invalid."""
    given = dict(json.loads(body))
    if given.get("mood") not in MOODS:
        raise ValueError(f"a state has a mood, one of {', '.join(MOODS)}")
    documents = {str(path): Document(**values) for path, values in dict(given.get("documents", {})).items()}
    delay_s = float(given.get("delay_s", 0))
    if not 0 <= delay_s <= threading.TIMEOUT_MAX:
        raise ValueError("delay_s is not a number of seconds")
    return State(mood=given["mood"], delay_s=delay_s, documents=documents)


class Server(ThreadingHTTPServer):
    """A server with one thread per connection, so that a faulty client ends only its thread."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request: object, _client: object) -> None:
        """Log only the type of the error; disconnecting clients are common."""
        LOG.info("a request ended with %s", type(sys.exc_info()[1]).__name__)


class Issuer:
    """The server of the documents, its state and the counts of its requests."""

    def __init__(self, port: int) -> None:
        self.state = State()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self._server: Server | None = start_server(port, DocumentHandler, issuer=self)
        self.port: int = self._server.server_address[1]

    def become(self, state: State) -> None:
        """Replace the state; OSError if the port cannot be opened again."""
        with self._lock:
            if state.mood != "down" and self._server is None:
                self._server = start_server(self.port, DocumentHandler, issuer=self)
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
    """The log, the limits and the answers of both ports."""

    timeout = CLIENT_TIMEOUT_S
    server_version, sys_version = "issuer", ""
    issuer: Issuer

    @property
    def where(self) -> str:
        """The requested path without its query; empty if the request is malformed."""
        return str(getattr(self, "path", "")).partition("?")[0]

    def answer(self, document: Document) -> None:
        """Send a document; repeat an endless one as long as the state lasts."""
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
        """Log one line for a request, without headers and query."""
        where = self.where.encode("unicode_escape").decode()  # a single line for any path
        LOG.info("%s %s %s", self.command or "?", where, int(code) if isinstance(code, int) else code)

    def log_error(self, *_: object) -> None:
        """Log nothing, because every answer is logged once."""


class DocumentHandler(Handler):
    """The documents, in the current mood."""

    def do_GET(self) -> None:
        """Answer with the document of the path, delayed according to the mood."""
        state = self.issuer.state
        self.issuer.count(self.where)
        self._wait(state, {"slow": state.delay_s, "hanging": threading.TIMEOUT_MAX}.get(state.mood, 0.0))
        if state.mood == "hanging":
            self.log_request("no answer")
            return
        self.answer(state.documents.get(self.where, Document(status=404, content_type="text/plain")))

    def _wait(self, state: State, delay_s: float) -> None:
        """Wait for the delay, a new state or the end of the connection."""
        end = time.monotonic() + delay_s
        while (left := end - time.monotonic()) > 0 and not state.replaced.wait(min(left, LOOK_INTERVAL_S)):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return


class ControlHandler(Handler):
    """The control API."""

    token: bytes

    def do_GET(self) -> None:
        """Answer that the server is ready, or the counts of requests."""
        if self.where == "/ready":
            self.answer(Document(content_type="text/plain"))
        elif self._is_permitted():
            body = json.dumps(dict(self.issuer.counts))
            self.answer(Document(body=body) if self.where == "/requests" else Document(status=404))

    def do_PUT(self) -> None:
        """Replace the state."""
        if not self._is_permitted():
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
            self.issuer.become(parse_state(body))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            return Document(status=400, content_type="text/plain", body=str(error))
        except OSError as error:
            return Document(status=503, content_type="text/plain", body=f"cannot listen: {error.strerror}")
        return Document(status=204)

    def _is_permitted(self) -> bool:
        given = self.headers.get("Authorization", "").encode(errors="replace")
        permitted = hmac.compare_digest(given, b"Bearer " + self.token)
        if not permitted:
            self.answer(Document(status=401, headers={"WWW-Authenticate": "Bearer"}))
        return permitted


def start_server(port: int, handler: type[Handler], **attributes: object) -> Server:
    """Start a server on all addresses in its own thread."""
    server = Server(("0.0.0.0", port), type("Served", (handler,), attributes))  # noqa: S104 - a container of its own
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    parser = argparse.ArgumentParser(description="the issuer of the test harness")
    parser.add_argument("--port", type=int, default=9000, help="port of the documents; 0 chooses a free one")
    parser.add_argument("--control-port", type=int, default=9001, help="port of the control API; 0 chooses a free one")
    parser.add_argument("--token-file", type=Path, default=TOKEN_FILE, help="file with the control API's token")
    given = parser.parse_args()
    token = given.token_file.read_bytes().strip()
    if not token:
        parser.error(f"{given.token_file} is empty")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    issuer = Issuer(given.port)
    control = start_server(given.control_port, ControlHandler, issuer=issuer, token=token)
    LOG.info("documents on port %d, control on port %d", issuer.port, control.server_address[1])
    stopped.wait()


if __name__ == "__main__":
    main()
