"""The issuer's server as a process with two ports, as in its container."""

import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from hubpod.errors import HubpodError
from hubpod_harness.documents import GARBAGE
from hubpod_harness.issuer import Issuer

SCRIPT = Path(__file__).parents[3] / "containers" / "testkit" / "issuer.py"
TOKEN = "control-token-of-a-test"
CERTS = "/realms/test/certs"
GARBAGE_REQUESTS = (
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"GET " + b"/x" * 50_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /a\x1b[2J\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    b"PUT /state HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"FROB / HTTP/1.1\r\n\r\n",
    b"GET http://[ HTTP/1.1\r\n\r\n",
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    port: int
    control_port: int

    @property
    def control_url(self) -> str:
        """Return the URL of the control API."""
        return f"http://127.0.0.1:{self.control_port}"

    def issuer(self, leeway_s: float = 5) -> Issuer:
        """Return the issuer that controls the server."""
        url = f"http://127.0.0.1:{self.port}/realms/test"
        return Issuer(
            self.control_url, TOKEN, url=url, platform="test.platform", audience="hubpod-test", leeway_s=leeway_s
        )

    def get(self, path: str, timeout_s: float = 5) -> requests.Response:
        """Request a document."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"http://127.0.0.1:{self.port}{path}", timeout=timeout_s, allow_redirects=False)

    def control(self, method: str, path: str, token: str = TOKEN, **options: object) -> requests.Response:
        """Send a request to the control API."""
        with requests.Session() as session:
            session.trust_env = False
            request = requests.Request(method, self.control_url + path, {"Authorization": f"Bearer {token}"}, **options)
            return session.send(request.prepare(), timeout=5)

    def send(self, port: int, content: bytes) -> None:
        """Send bytes and wait until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, suppress(ConnectionError):
            connection.sendall(content + b"\r\n\r\n")
            while connection.recv(4096):
                pass

    def stop(self) -> tuple[str, str]:
        """Stop the server as podman does, and return its output."""
        self.process.terminate()
        return self.process.communicate(timeout=5)


def start(folder: Path) -> Server:
    """Start a server on free ports and wait for the line that names them."""
    token_file = folder / "control_token"
    token_file.write_text(TOKEN + "\n")
    argv = [sys.executable, str(SCRIPT), "--port=0", "--control-port=0", f"--token-file={token_file}"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    ports = re.fullmatch(r"documents on port (\d+), control on port (\d+)\n", process.stdout.readline())
    assert ports
    return Server(process=process, port=int(ports[1]), control_port=int(ports[2]))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Issuer]]:
    """A running server and the issuer that controls it."""
    server = start(tmp_path_factory.mktemp("server"))
    issuer = server.issuer()
    issuer.wait_until_up()
    yield server, issuer
    server.stop()


@pytest.fixture
def server(served: tuple[Server, Issuer]) -> Server:
    """The module's server with valid documents."""
    if served[1].changed:
        served[1].reset()
    return served[0]


@pytest.fixture
def issuer(served: tuple[Server, Issuer], server: Server) -> Issuer:
    """The issuer that controls the server."""
    assert server is served[0]
    return served[1]


def asked(issuer: Issuer, before: Counter[str]) -> Counter[str]:
    """Return the request counts since an earlier reading."""
    return issuer.requests() - before


def test_the_server_serves_its_documents(server: Server, issuer: Issuer) -> None:
    """The discovery document names the issuer and leads to a key for each algorithm."""
    discovery = server.get("/realms/test/.well-known/openid-configuration")
    keys = requests.get(discovery.json()["jwks_uri"], timeout=5).json()["keys"]

    assert discovery.json()["issuer"] == issuer.url
    assert discovery.headers["Content-Type"] == "application/json"
    assert {key["alg"] for key in keys} == {"RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"}
    assert not any("d" in key for key in keys)
    assert server.get("/nothing").status_code == 404


def test_requests_are_counted_by_path(server: Server, issuer: Issuer) -> None:
    """Requests are counted without their queries, whatever their answer."""
    before = issuer.requests()

    server.get(f"{CERTS}?a=b")
    server.get(CERTS)
    server.get("/nothing")

    assert asked(issuer, before) == {CERTS: 2, "/nothing": 1}


def test_down_refuses_connections_until_it_is_up_again(server: Server, issuer: Issuer) -> None:
    """A down issuer closes its port, and serves at the same port when it is up again."""
    issuer.down()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)

    issuer.up()

    assert server.get(CERTS).status_code == 200


def test_slow_answers_late(server: Server, issuer: Issuer) -> None:
    """A slow issuer answers after the delay, and at once when it is up again."""
    issuer.slow(0.3)
    begun = time.monotonic()
    server.get(CERTS)
    assert time.monotonic() - begun >= 0.3

    issuer.slow(60)
    before = issuer.requests()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.get, CERTS)
        while not asked(issuer, before):
            pass
        issuer.up()
        assert answer.result(5).status_code == 200


def test_hanging_never_answers(server: Server, issuer: Issuer) -> None:
    """A hanging issuer accepts a request without an answer.

    When it is up again, it disconnects the client.
    """
    issuer.hang()
    with pytest.raises(requests.ReadTimeout):
        server.get(CERTS, timeout_s=0.3)
    before = issuer.requests()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.get, CERTS)
        while not asked(issuer, before):
            pass
        issuer.up()
        with pytest.raises(requests.ConnectionError):
            answer.result(5)

    assert server.get(CERTS).status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in GARBAGE if kind != "endless"])
def test_garbage_is_served_until_the_issuer_is_up(server: Server, issuer: Issuer, kind: str) -> None:
    """Each kind of garbage changes at least one of the two documents until the issuer is up."""
    paths = (CERTS, "/realms/test/.well-known/openid-configuration")
    good = [server.get(path).content for path in paths]

    issuer.garbage(kind)
    assert [server.get(path).content for path in paths] != good

    issuer.up()
    assert [server.get(path).content for path in paths] == good


def test_an_endless_document_ends_when_the_issuer_is_up(server: Server, issuer: Issuer) -> None:
    """A client can read any amount of an endless document, which ends when the issuer is up."""
    issuer.garbage("endless")
    with requests.get(f"http://127.0.0.1:{server.port}{CERTS}", stream=True, timeout=5) as response:
        content = response.iter_content(2**20)
        assert sum(len(next(content)) for _ in range(8)) > 4 * 2**20
        issuer.up()
        assert sum(map(len, content)) < 2**30


def test_a_rotation_keeps_the_old_keys_only_with_overlap(server: Server, issuer: Issuer) -> None:
    """A rotation publishes the old keys only with overlap, and a reset restores them."""

    def key_ids() -> set[str]:
        return {key["kid"] for key in server.get(CERTS).json()["keys"]}

    first = key_ids()
    issuer.rotate(overlap=True)
    both = key_ids()
    issuer.rotate(overlap=False)
    last = key_ids()
    assert issuer.changed
    issuer.reset()

    assert first < both
    assert not last & both
    assert key_ids() == first
    assert not issuer.changed


def test_a_rotation_leaves_a_down_issuer_down(server: Server, issuer: Issuer) -> None:
    """A rotation of keys does not change the mood."""
    issuer.down()
    issuer.rotate(overlap=False)

    with pytest.raises(requests.ConnectionError):
        server.get(CERTS)


@pytest.mark.parametrize(("method", "path"), [("GET", "/requests"), ("PUT", "/state"), ("GET", "/x")])
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "\xe9"])
def test_the_control_api_requires_its_token(server: Server, method: str, path: str, token: str) -> None:
    """Any other token is answered with 401."""
    assert server.control(method, path, token, json={"mood": "down"}).status_code == 401
    assert server.get("/").status_code == 404


def test_readiness_needs_no_token(server: Server) -> None:
    """The readiness path is open to every client."""
    assert server.control("GET", "/ready", token="").status_code == 200


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"5",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"mood": "sad"}',
        b'{"mood": ["up"]}',
        b'{"mood": "slow", "delay_s": -1}',
        b'{"mood": "slow", "delay_s": 1e400}',
        b'{"mood": "up", "documents": {"/x": {"status": "200"}}}',
        b'{"mood": "up", "documents": {"/x": {"headers": 5}}}',
        b'{"mood": "up", "documents": {"/x": {"unknown": 5}}}',
        b'{"mood": "up", "documents": 5}',
    ],
    ids=lambda state: state[:60].decode(errors="replace"),
)
def test_an_invalid_state_changes_nothing(server: Server, state: bytes) -> None:
    """An invalid state is answered with 400, and the issuer keeps its state."""
    assert server.control("PUT", "/state", data=state).status_code == 400
    assert server.get(CERTS).status_code == 200


def test_garbage_requests_do_not_stop_the_server(server: Server, issuer: Issuer) -> None:
    """Both ports keep serving after any bytes arrive."""
    for content in GARBAGE_REQUESTS:
        for port in (server.port, server.control_port):
            server.send(port, content)

    issuer.up()
    assert server.get(CERTS).status_code == 200


def test_sigterm_stops_the_server_which_logged_each_request(tmp_path: Path) -> None:
    """SIGTERM stops the server even with hanging requests.

    The log has no header, query or token.
    """
    server = start(tmp_path)
    issuer = server.issuer()
    issuer.wait_until_up()
    server.get(f"{CERTS}?code=secret")
    server.send(server.port, b"GET /a\x1b[2J HTTP/1.1\r\nX-Secret: secret\r\n\r\n")
    issuer.hang()
    with pytest.raises(requests.ReadTimeout):
        server.get(CERTS, timeout_s=0.2)
    waiting = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    waiting.sendall(f"GET {CERTS} HTTP/1.1\r\n\r\n".encode())
    while issuer.requests()[CERTS] < 3:
        pass

    stdout, stderr = server.stop()

    assert server.process.returncode == 0
    assert stderr == ""
    lines = [line for line in stdout.splitlines() if not line.startswith("GET /requests")]
    assert lines[:5] == [
        "GET /ready 200",
        "PUT /state 204",
        f"GET {CERTS} 200",
        r"GET /a\x1b[2J 404",
        "PUT /state 204",
    ]
    assert "secret" not in stdout
    assert TOKEN not in stdout
    waiting.close()


def test_a_port_taken_meanwhile_is_reported(server: Server, issuer: Issuer) -> None:
    """If another program has the port of a down issuer, `up` fails with a message.

    A later `up` works.
    """
    issuer.down()
    with socket.create_server(("0.0.0.0", server.port)):  # noqa: S104 - as the server itself
        with pytest.raises(HubpodError, match="cannot listen"):
            issuer.up()
        assert issuer.changed

    issuer.up()
    assert server.get(CERTS).status_code == 200


def test_a_stopped_server_is_reported(tmp_path: Path) -> None:
    """Without its server, the issuer's methods fail with a message without the token."""
    server = start(tmp_path)
    server.stop()

    with pytest.raises(HubpodError, match="failed to PUT") as error:
        server.issuer().up()

    assert TOKEN not in str(error.value)


def test_an_empty_token_is_refused_at_the_start(tmp_path: Path) -> None:
    """A server without a control token does not start."""
    (tmp_path / "empty").write_text("\n")
    argv = [sys.executable, str(SCRIPT), "--port=0", "--control-port=0", f"--token-file={tmp_path / 'empty'}"]

    result = subprocess.run(argv, capture_output=True, text=True, timeout=5, check=False)

    assert result.returncode == 2
    assert "is empty" in result.stderr
