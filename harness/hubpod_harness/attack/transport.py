"""Send a request unmodified and receive its response.

HTTP libraries resolve `..`, encode unusual characters and follow redirects. Here every character is sent as it is
written. Only login forms go through the hub's client, because they need the XSRF cookie of a browser.
"""

import http.client
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hubpod.client.browser import Browser, raise_unanswered

TIMEOUT_S = 30.0
MAX_BODY = 2**20

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to the hub.

    Attributes:
        method: HTTP method; may be invalid.
        path: Path below the hub's base path, with a leading slash.
        at_root: The path is below the server's root instead.
        headers: Names and values in order; a name may repeat.
        body: Sent with its length.
        form: Fields to submit as a browser does, with the XSRF token, instead of the body.
    """

    method: str = "GET"
    path: str
    at_root: bool = False
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    form: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def how(self) -> str:
        """Method, path and names of the headers."""
        names = ", ".join(dict.fromkeys(name for name, _ in self.headers))
        return f"{self.method} {self.path}" + (f" with {names}" if names else "")


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response of the hub.

    Attributes:
        status: HTTP status; None if the connection was closed.
        headers: Names and values in order.
        body: First MiB of the body.
    """

    status: int | None
    headers: Headers = field(default=(), repr=False)
    body: str = field(default="", repr=False)

    def all_of(self, name: str) -> Sequence[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def send(url: str, request: Request) -> Response:
    """Send a request to a hub.

    Raises:
        HubError: The hub cannot be reached, or does not respond in time.
    """
    return _submit_form(url, request) if request.form else _send_unmodified(url, request)


def _submit_form(url: str, request: Request) -> Response:
    parts = urlsplit(url)
    browser = Browser(f"{parts.scheme}://{parts.netloc}")
    browser.page(f"{url}/hub/login", follow=False)
    token = browser.xsrf_token(f"{url}/hub/login")
    answer = browser.submit(url + request.path, [("_xsrf", token), *request.form], follow=False)
    cookies = tuple(("Set-Cookie", value) for value in answer.raw.headers.getlist("Set-Cookie"))
    others = tuple((name, value) for name, value in answer.headers.items() if name.lower() != "set-cookie")
    return Response(status=answer.status_code, headers=(*others, *cookies), body=answer.text[:MAX_BODY])


def _send_unmodified(url: str, request: Request) -> Response:
    parts = urlsplit(url)
    path = request.path if request.at_root else parts.path + request.path
    with closing(_connection(url)) as connection:
        try:
            connection.connect()
        except OSError as error:
            raise_unanswered(f"the connection to {parts.netloc}", error, TIMEOUT_S)
        try:
            _write(connection, request, path)
            response = connection.getresponse()
            body = response.read(MAX_BODY).decode(errors="replace")
        except TimeoutError as error:
            raise_unanswered(f"{request.method} {urlsplit(path).path}", error, TIMEOUT_S)
        except (OSError, http.client.HTTPException):
            return Response(status=None)
    return Response(status=response.status, headers=tuple(response.getheaders()), body=body)


def _connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)


def _write(connection: http.client.HTTPConnection, request: Request, path: str) -> None:
    connection.putrequest(request.method, path, skip_accept_encoding=True)
    for name, value in request.headers:
        connection.putheader(name, value)
    if request.body:
        connection.putheader("Content-Length", str(len(request.body)))
    with suppress(BrokenPipeError, ConnectionResetError):  # a server that refuses early may have sent its response
        connection.endheaders(request.body or None)
