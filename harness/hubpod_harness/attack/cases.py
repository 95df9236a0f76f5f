"""The attack cases: requests of an unauthenticated client that a hub must refuse.

Cases that need a key of the issuer, an account or access to Slurm are in hubpod_harness/token_flaws.py and
harness/suite.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hubpod.client.session import TOKEN_HEADER
from hubpod.environments import Login
from hubpod_harness.attack import forgeries, unreadable
from hubpod_harness.attack.addresses import AMBIGUOUS_ADDRESSES, FOREIGN_ADDRESSES, next_query
from hubpod_harness.attack.transport import Headers, Request

KB = 1024
SCRIPT = "<script>attack()</script>"
WRONG_PASSWORD = "no-such-password-47110815"  # noqa: S105 - opens no account
STOLEN = "0123456789abcdef0123456789abcdef"
HUNG_UP = None
"""Status of a connection that the proxy closes while a header that is too large is being sent."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A hub to attack.

    Attributes:
        url: Public address with the base path, without a trailing slash.
        login: How users log in.
        claims: Claims of forged tokens. Claims close to real ones make the cases stricter.
        password: Correct password of the login form, for redirects after a login; empty leaves those cases out.
        known_passwords: Published passwords, such as that of the examples, which the hub must refuse.
    """

    url: str
    login: Login
    claims: Mapping[str, object] = field(default_factory=dict)
    password: str = field(default="", repr=False)
    known_passwords: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """One attack.

    Attributes:
        id: Unique name.
        title: Short description.
        request: Request to send.
        expected: Statuses of a refusal; None is a closed connection.
        unseen: Texts that the response must not contain, such as the token that was sent.
        lets_in: The login is valid, and only the redirect is checked.
    """

    id: str
    title: str
    request: Request
    expected: frozenset[int | None]
    unseen: tuple[str, ...] = field(default=(), repr=False)
    lets_in: bool = False

    @property
    def expectation(self) -> str:
        """The expected statuses as text."""
        known = sorted(status for status in self.expected if status is not None)
        return " or ".join([*map(str, known), *(["a closed connection"] if None in self.expected else [])])


def cases(target: Target) -> tuple[Case, ...]:
    """Return all cases for the hub's kind of login."""
    groups: tuple[Callable[[Target], Iterator[Case]], ...] = (
        *((_tokens,) if target.login.uses_token else ()),
        *((_passwords,) if target.login.uses_password else ()),
        _addresses,
        _sizes,
        _without_login,
        _batchspawner,
        _methods,
        _paths,
        _unreadable,
    )
    return tuple(case for group in groups for case in group(target))


def _case(name: str, title: str, request: Request, *expected: int | None, unseen: tuple[str, ...] = ()) -> Case:
    return Case(id=name, title=title, request=request, expected=frozenset(expected), unseen=unseen)


def _login(token: str) -> Request:
    return Request(path="/hub/login", headers=((TOKEN_HEADER, token),))


def _tokens(target: Target) -> Iterator[Case]:
    for name, (title, token) in forgeries.forge_tokens(target.claims).items():
        yield _case(f"token-{name}", f"a token: {title}", _login(token), 400, 401, unseen=(token,))
    good_looking = forgeries.of_size(target.claims, KB)
    twice = Request(path="/hub/login", headers=((TOKEN_HEADER, good_looking), (TOKEN_HEADER, good_looking)))
    yield _case("token-twice", "two tokens at once", twice, 400, 401, unseen=(good_looking,))
    empty = Request(path="/hub/login", headers=((TOKEN_HEADER, ""),))
    yield _case("token-empty", "an empty token", empty, 400, 401)
    yield _case("token-none", "no token", Request(path="/hub/login"), 401)
    in_query = Request(path=f"/hub/login?{TOKEN_HEADER}={good_looking}")
    yield _case("token-in-query", "a token in the address", in_query, 401, unseen=(good_looking,))
    for size, statuses in ((31, (401,)), (33, (431, HUNG_UP)), (70, (431, HUNG_UP))):
        token = forgeries.of_size(target.claims, size * KB - KB)
        yield _case(
            f"token-{size}-kB", f"a token with a header of {size} kB", _login(token), *statuses, unseen=(token,)
        )


def _passwords(target: Target) -> Iterator[Case]:
    for number, password in enumerate((WRONG_PASSWORD, "", "ünsinn", "x" * 100 * KB, *target.known_passwords)):
        what = "a published password" if password in target.known_passwords else "a wrong password"
        form = (("username", "testuser"), ("password", password))
        unseen = (password,) if password else ()
        yield _case(f"password-{number}", what, _form("/hub/login", form), 400, 401, 403, unseen=unseen)
    markup = (("username", SCRIPT), ("password", WRONG_PASSWORD))
    yield _case("password-markup", "markup as name", _form("/hub/login", markup), 400, 401, 403, unseen=(SCRIPT,))
    body = f"username=testuser&password={WRONG_PASSWORD}".encode()
    plain = (("Content-Type", "application/x-www-form-urlencoded"),)
    blind = Request(method="POST", path="/hub/login", headers=plain, body=body)
    yield _case("login-without-xsrf", "a login from another site's page", blind, 403)
    made_up = replace(blind, headers=(*plain, ("Cookie", "_xsrf=abc")), body=body + b"&_xsrf=abc")
    yield _case("login-forged-xsrf", "a login with a made-up XSRF token", made_up, 403)


def _form(path: str, form: tuple[tuple[str, str], ...]) -> Request:
    return Request(method="POST", path=path, form=form)


def _addresses(target: Target) -> Iterator[Case]:
    for name, address in {**FOREIGN_ADDRESSES, **AMBIGUOUS_ADDRESSES}.items():
        path = f"/hub/login?{next_query(address)}"
        if target.login.uses_token:
            yield _case(f"next-{name}", "a login that leads elsewhere", Request(path=path), 400, 401)
        elif target.password:
            form = (("username", "testuser"), ("password", target.password))
            case = _case(f"next-{name}", "a login that leads elsewhere", _form(path, form), 302, 400)
            yield replace(case, lets_in=True, unseen=(target.password,))
    path = f"/hub/login?{next_query(SCRIPT)}"
    yield _case("next-markup", "markup as address", Request(path=path), 200, 401, unseen=(SCRIPT,))
    elsewhere = Request(path="/hub/api/oauth2/authorize?response_type=code&client_id=x&redirect_uri=https://x.example/")
    yield _case("oauth-elsewhere", "a code for another site", elsewhere, 302, 400, 401, 403)


def _sizes(_: Target) -> Iterator[Case]:
    for size, statuses in ((8, (200,)), (31, (200,)), (33, (431, HUNG_UP)), (70, (431, HUNG_UP))):
        title = f"a request with a header of {size} kB"
        request = Request(path="/hub/api/", headers=(("X-Padding", "x" * (size * KB - KB)),))
        yield _case(f"header-{size}-kB", title, request, *statuses)


_ANONYMOUS: Mapping[str, tuple[str, str, str, Headers]] = {
    "users": ("the list of users", "GET", "/hub/api/users", ()),
    "routes": ("the proxy's table", "GET", "/hub/api/proxy", ()),
    "info": ("what the hub runs", "GET", "/hub/api/info", ()),
    "metrics": ("the hub's metrics", "GET", "/hub/metrics", ()),
    "spawn": ("a server for a user", "POST", "/hub/api/users/testuser/server", ()),
    "stop": ("the end of a user's server", "DELETE", "/hub/api/users/testuser/server", ()),
    "mint": ("a token for a user", "POST", "/hub/api/users/testuser/tokens", ()),
    "shutdown": ("the hub's end", "POST", "/hub/api/shutdown", ()),
    "foreign-token": ("the API with a token", "GET", "/hub/api/users", (("Authorization", f"token {STOLEN}"),)),
    "query-token": ("the API with a token in the address", "GET", f"/hub/api/users?token={STOLEN[::-1]}", ()),
    "cookie": ("the API with a cookie", "GET", "/hub/api/user", (("Cookie", f"jupyterhub-hub-login={STOLEN}"),)),
    "remote-user": ("the API with a user's name", "GET", "/hub/api/user", (("Remote-User", "testuser"),)),
    "forwarded": ("the API as from the hub itself", "GET", "/hub/api/users", (("X-Forwarded-For", "127.0.0.1"),)),
}
_ANONYMOUS_PAGES = {"home": "/hub/home", "admin": "/hub/admin", "token": "/hub/token", "server": "/user/testuser/lab"}


def _without_login(_: Target) -> Iterator[Case]:
    for name, (title, method, path, headers) in _ANONYMOUS.items():
        request = Request(method=method, path=path, headers=headers)
        unseen = (STOLEN, STOLEN[::-1])
        yield _case(f"anonymous-{name}", f"without a login: {title}", request, 401, 403, unseen=unseen)
    for name, path in _ANONYMOUS_PAGES.items():
        yield _case(f"anonymous-page-{name}", "a page without a login", Request(path=path), 302, 403)
    kernel = Request(path="/user/testuser/api/kernels/x/channels", headers=_UPGRADE)
    yield _case("anonymous-kernel", "a user's kernel without a login", kernel, 302, 403, 404)


_UPGRADE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)

_REPORTS = {
    "empty": b"",
    "port": b'{"port": 8888}',
    "not-json": b"{",
    "array": b"[8888]",
    "deep": b"[" * 5000,
    "command": b'{"port": 8888, "batch_query_cmd": "id", "exec_prefix": "", "req_username": "root"}',
    "job": b'{"port": 8888, "job_id": "1"}',
    "big": b'{"port": "' + b"8" * 2**20 + b'"}',
}


def _batchspawner(_: Target) -> Iterator[Case]:
    for name, body in _REPORTS.items():
        for who, headers in {"nobody": (), "stranger": (("Authorization", f"token {STOLEN}"),)}.items():
            request = Request(method="POST", path="/hub/api/batchspawner", headers=headers, body=body)
            title = f"a server's report from {who}"
            yield _case(f"report-{name}-{who}", title, request, 400, 401, 403, unseen=(STOLEN,))


def _methods(_: Target) -> Iterator[Case]:
    marked = (("X-Marker", STOLEN),)
    for method in ("TRACE", "TRACK", "PROPFIND", "BREW", "PUT", "PATCH", "DELETE"):
        request = Request(method=method, path="/hub/login", headers=marked)
        yield _case(f"method-{method}", f"the method {method}", request, 400, 403, 404, 405, HUNG_UP, unseen=(STOLEN,))
    both = (("Transfer-Encoding", "chunked"), ("Content-Length", "4"))
    smuggled = Request(method="POST", path="/hub/login", headers=both)
    yield _case("two-lengths", "a request with two lengths", smuggled, 400, HUNG_UP)


_PATHS = {
    "dots": "/hub/static/../../../../../../etc/passwd",
    "encoded-dots": "/hub/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "encoded-slashes": "/hub/static/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
    "encoded-twice": "/hub/static/%252e%252e%252f%252e%252e%252fetc/passwd",
    "backslashes": "/hub/static/..\\..\\..\\..\\etc\\passwd",
    "absolute": "/hub/static//etc/passwd",
    "newline": "/hub/%0d%0aSet-Cookie:attack=1",
    "api-by-dots": "/hub/static/../api/users",
    "api-twice-slashed": "//hub//api//users",
    "another-server": "/user/testuser/../../hub/api/users",
}
_ROOT_PATHS = {
    "site": "//x.example/",
    "site-dots": "//x.example/%2e%2e",
    "routes": "/api/routes",
    "whole": "http://x.example/",
}


def _paths(_: Target) -> Iterator[Case]:
    unseen = ("root:", "attack=1;")
    for name, path in _PATHS.items():
        yield _case(f"path-{name}", "a path that leads out", Request(path=path), 302, 400, 403, 404, unseen=unseen)
    for name, path in _ROOT_PATHS.items():
        request = Request(path=path, at_root=True)
        yield _case(f"path-root-{name}", "a path beside the hub's", request, 302, 400, 403, 404, HUNG_UP, unseen=unseen)


def _unreadable(_: Target) -> Iterator[Case]:
    return (_case(f"unreadable-{name}", "not text", request, 400) for name, request in unreadable.requests().items())
