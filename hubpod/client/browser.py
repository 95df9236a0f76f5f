"""HTTP and WebSocket requests with the cookies, headers and XSRF token of a browser.

From the Sec-Fetch headers JupyterHub decides whether a request needs the XSRF token and whether it may receive one:
https://jupyterhub.readthedocs.io/en/stable/explanation/websecurity.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests.cookies import get_cookie_header
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from hubpod.client.deadline import Deadline
from hubpod.client.errors import HubError, HubTimeoutError
from hubpod.client.localhost import LocalhostAdapter, connect_below_localhost
from hubpod.client.pages import sentence_of_response
from hubpod.system.addresses import is_loopback

Mode = Literal["navigate", "cors"]

TIMEOUT_S = 30.0
MAX_REDIRECTS = 20
MAX_MESSAGE_BYTES = 64 * 2**20
OK_BELOW = 400


@dataclass(frozen=True, kw_only=True, repr=False)
class Call:
    """One request, as sent by the address bar, a form or a script of the page."""

    method: str
    url: str
    mode: Mode = "navigate"
    form: Sequence[tuple[str, str]] | None = None
    multipart: bool = False
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    follow: bool = True
    stream: bool = False
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        """Method and path for messages, without the query, which may contain secrets."""
        return f"{self.method} {urlsplit(self.url).path}"

    def __repr__(self) -> str:
        return f"Call({self.name!r})"  # a form may contain the password


class Browser:
    """A cookie jar and the headers of a browser, for one user of one hub."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._http = direct_session(origin)
        self._http.headers["User-Agent"] = "hubpod"

    def __repr__(self) -> str:
        return f"Browser({self.origin!r})"

    def page(self, url: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Open a page."""
        return self.send(Call(method="GET", url=url, follow=follow, headers=headers or {}))

    def submit(
        self, url: str, form: Sequence[tuple[str, str]], *, multipart: bool = False, follow: bool = True
    ) -> requests.Response:
        """Submit a form."""
        return self.send(Call(method="POST", url=url, form=form, multipart=multipart, follow=follow))

    def api(self, method: str, url: str, *, json: object = None, timeout_s: float = TIMEOUT_S) -> requests.Response:
        """Call an API as a script of the page does.

        Raises:
            HubError: The status is 400 or above.
        """
        call = Call(method=method, url=url, mode="cors", json=json, timeout_s=timeout_s)
        response = self.send(call)
        if response.status_code >= OK_BELOW:
            raise refusal(call.name, response)
        return response

    def api_object(
        self, method: str, url: str, *, json: object = None, timeout_s: float = TIMEOUT_S
    ) -> Mapping[str, object]:
        """Call an API and return its JSON object.

        Raises:
            HubError: The status is 400 or above, or the response is not a JSON object.
        """
        response = self.api(method, url, json=json, timeout_s=timeout_s)
        try:
            model = response.json()
        except ValueError:
            model = None
        if not isinstance(model, dict):
            what = f"{method} {urlsplit(url).path}"
            raise HubError(f"{what} was answered with something other than JSON", response=response)
        return model

    def send(self, call: Call) -> requests.Response:
        """Send a request, and follow redirects as a browser does.

        The headers of the call go to the hub's origin only.
        """
        url, method, body = call.url, call.method, _body_of(call)
        for _ in range(MAX_REDIRECTS):
            response = self._send_once(call, method, url, body)
            if not (call.follow and response.is_redirect):
                return response
            url = urljoin(url, response.headers["Location"])
            if response.status_code in (301, 302, 303):
                method, body = "GET", {}
        raise HubError(f"{call.name} was redirected more than {MAX_REDIRECTS} times", response=response)

    def stream_lines(self, url: str, deadline: Deadline) -> Iterator[bytes]:
        """Yield the lines of an event stream until it ends or the connection is lost."""
        call = Call(method="GET", url=url, mode="cors", stream=True, timeout_s=deadline.remaining())
        with self.send(call) as response:
            if response.status_code >= OK_BELOW:
                raise refusal(call.name, response)
            connection = getattr(response.raw.connection, "sock", None)
            lines = response.iter_lines(chunk_size=1)
            while True:
                left = deadline.remaining()
                if connection is not None:
                    connection.settimeout(left)  # requests sets the timeout only once, before the first byte
                try:
                    yield next(lines)
                except StopIteration:
                    return
                except requests.RequestException:
                    deadline.remaining()
                    return

    def websocket(self, url: str, *, timeout_s: float = TIMEOUT_S) -> ClientConnection:
        """Open a WebSocket with the cookies for its address."""
        request = requests.Request("GET", url).prepare()
        cookie = get_cookie_header(self._http.cookies, request)  # type: ignore[no-untyped-call] # missing in its stubs
        headers = {"Cookie": cookie or "", "Sec-Fetch-Mode": "websocket", "Sec-Fetch-Site": "same-origin"}
        name = f"WebSocket {urlsplit(url).path}"
        try:
            return connect(
                "ws" + url.removeprefix("http"),
                origin=cast("Origin", _origin_of(url)),
                additional_headers=headers,
                proxy=True if self._http.trust_env else None,
                sock=connect_below_localhost(url, timeout_s),
                open_timeout=timeout_s,
                max_size=MAX_MESSAGE_BYTES,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise HubError(f"{name} was refused with status {status}", status=status) from None
        except (TimeoutError, OSError, WebSocketException) as error:
            raise_unanswered(name, error, timeout_s)

    def xsrf_token(self, url: str) -> str:
        """Return the XSRF token for an address of the hub or a server, which have different ones."""
        path = urlsplit(url).path
        found = [cookie for cookie in self._http.cookies if cookie.name == "_xsrf" and path.startswith(cookie.path)]
        return max(found, key=lambda cookie: len(cookie.path)).value or "" if found else ""

    def forget(self) -> None:
        """Drop all cookies."""
        self._http.cookies.clear()

    def _send_once(self, call: Call, method: str, url: str, body: Mapping[str, object]) -> requests.Response:
        headers = {"Sec-Fetch-Mode": call.mode, "Sec-Fetch-Site": "same-origin"}
        if url.startswith(self.origin + "/"):
            headers.update(call.headers)
        if call.mode == "cors":
            headers["X-XSRFToken"] = self.xsrf_token(url)
        if method != "GET":
            headers["Origin"] = _origin_of(url)
        request = cast("Callable[..., requests.Response]", self._http.request)
        try:
            return request(
                method, url, headers=headers, timeout=call.timeout_s, allow_redirects=False, stream=call.stream, **body
            )
        except requests.RequestException as error:
            raise_unanswered(call.name, error, call.timeout_s)


def direct_session(url: str = "http://127.0.0.1") -> requests.Session:
    """Create a session that ignores the environment's proxy for addresses of this machine.

    A proxy does not reach loopback addresses.
    """
    session = requests.Session()
    session.mount("http://", LocalhostAdapter())
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    return session


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def refusal(what: str, response: requests.Response, kind: type[HubError] = HubError) -> HubError:
    """Return the error for a response with an error status, with the sentence on its page."""
    sentence = sentence_of_response(response)
    status = response.status_code
    return kind(f"{what} was refused with status {status}: {sentence}", sentence=sentence, response=response)


def raise_unanswered(what: str, error: BaseException, timeout_s: float) -> NoReturn:
    """Raise the HubError for a request without a response.

    The original error is hidden because it contains the query.
    """
    if isinstance(error, requests.Timeout | TimeoutError):
        raise HubTimeoutError(f"{what} had no answer within {timeout_s:.0f} s") from None
    innermost = error
    while inner := innermost.__cause__ or innermost.__context__:
        innermost = inner
    reason = getattr(innermost, "strerror", None) or type(innermost).__name__
    raise HubError(f"{what} had no answer: {reason}") from None


def _body_of(call: Call) -> Mapping[str, object]:
    if call.json is not None:
        return {"json": call.json}
    if call.form is None:
        return {}
    if call.multipart:
        return {"files": [(name, (None, value)) for name, value in call.form]}
    return {"data": list(call.form)}
