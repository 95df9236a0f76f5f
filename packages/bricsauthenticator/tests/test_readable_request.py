"""Requests that no handler can read: every page and API of the hub refuses them with a 4xx and one line in the log."""

import asyncio
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = "application/x-www-form-urlencoded"
UNREADABLE = (b"\xff", b"\xed\xa0\x80", b"\xc3", b"a\0b")


@pytest.fixture
def hub(lasting: tuple[Any, Any]) -> Any:
    """The module's hub, with a user logged in."""
    return lasting[0]


async def send(hub: Any, line: str, *headers: bytes, body: bytes = b"", token: str = "") -> int:
    """Send bytes as they are, and return the status of the answer."""
    port = int(hub.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    authorization = [f"Authorization: token {token}".encode()] if token else []
    lines = [f"{line} HTTP/1.1".encode("latin-1"), b"Host: hub", b"Connection: close", *authorization, *headers]
    writer.write(b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body]))
    try:
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1])


def paths(hub: Any, word: str) -> list[str]:
    """Return a path of every handler of the hub, with a word in the place of each variable part."""
    filled = (re.sub(r"\([^()]*\)", word, re.sub(r"\(\?[:!=][^()]*\)", "", path)) for path, *_ in hub.app.handlers)
    return sorted(
        {path.rstrip("$?").replace("\\", "") for path in filled if "(" not in path and path.startswith("/hub")}
    )


@pytest_asyncio.fixture(loop_scope="module")
async def ada(hub: Any, lasting: tuple[Any, Any]) -> str:
    """An API token of a user."""
    if "ada" not in {user.name for user in hub.app.users.values()}:
        await hub.login(lasting[1].mint())
    return str(hub.user_token())


@pytest.mark.parametrize("bytes_", UNREADABLE, ids=str)
async def test_every_path_and_query_is_utf_8(hub: Any, ada: str, all_logs: Any, bytes_: bytes) -> None:
    """A path or query of any handler with undecodable bytes is refused, with and without a login."""
    part = quote(bytes_)
    lines = [f"GET {path}" for path in (*paths(hub, part), f"/hub/{part}", f"/hub/static/{part}") if part in path]
    lines += [f"GET {path}?{query}" for path in paths(hub, "ada") for query in (f"{part}=1", f"next={part}")]

    for token in ("", ada):
        for line in lines:
            assert await send(hub, line, token=token) == 400, line

    assert "Traceback" not in all_logs.text


@pytest.mark.parametrize("name", ["Cookie", "Referer", "Accept", "Origin", "User-Agent", "X-Other", "X-Forwarded-For"])
async def test_every_header_is_utf_8(hub: Any, ada: str, all_logs: Any, name: str) -> None:
    """A header with undecodable bytes is refused."""
    for path in ("/hub/home", "/hub/login", "/hub/spawn", "/hub/api/user", "/hub/static/css/style.min.css"):
        assert await send(hub, f"GET {path}", name.encode() + b": \xff\xfe", token=ada) == 400

    assert "Traceback" not in all_logs.text


JSON = (b'{"a": "\xff"}', b"[" * 100_000, b'{"a":' * 5_000, b"9" * 5_000, b"{", b"\xff\xfe{\0}\0", b'{"a": 1, "a": 2}',
        b"[]", b'"x"', b"7", b"NaN", b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b'{"name": "a\\u0000"}')  # fmt: skip


@pytest.mark.parametrize("body", JSON, ids=lambda body: str(body[:20]))
async def test_every_api_accepts_a_json_object_only(hub: Any, ada: str, all_logs: Any, body: bytes) -> None:
    """A body that is not one plain JSON object is refused by every API that has the method."""
    targets = [path for path in paths(hub, "ada") if path.startswith("/hub/api/") and "oauth2" not in path]

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in targets:
            assert await send(hub, f"{method} {path}", body=body, token=ada) in {400, 403, 404, 405}, (method, path)

    assert "Traceback" not in all_logs.text


@pytest.mark.parametrize("body", [b"a=%ff", b"%ff=1", b"a=\xff", b"a=%ed%a0%80", b"a=%00"], ids=str)
@pytest.mark.parametrize("path", ["/hub/spawn", "/hub/spawn/ada", "/hub/login", "/hub/api/oauth2/authorize",
                                  "/hub/api/oauth2/token", "/hub/security/csp-report"])  # fmt: skip
async def test_every_form_is_utf_8(hub: Any, ada: str, all_logs: Any, path: str, body: bytes) -> None:
    """A form with undecodable bytes is refused."""
    code = await send(hub, f"POST {path}", f"Content-Type: {FORM}".encode(), body=body, token=ada)

    assert code in {400, 405}
    assert "Traceback" not in all_logs.text


async def test_a_file_of_a_form_may_be_binary(hub: Any, ada: str) -> None:
    """Only the fields of a form are text."""
    body = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n\xff\0\r\n--x--\r\n'
    kind = b"Content-Type: multipart/form-data; boundary=x"

    field = await send(hub, "POST /hub/security/csp-report", kind, body=body % (b"a", b""), token=ada)
    file = await send(hub, "POST /hub/security/csp-report", kind, body=body % (b"a", b'; filename="f"'), token=ada)

    assert field == 400
    assert file == 403  # for other reasons


async def test_text_of_any_language_is_readable(hub: Any, ada: str) -> None:
    """Paths, queries, headers and JSON in UTF-8 are served."""
    umlaut = quote("ü 漢")

    assert await send(hub, f"GET /hub/api/user?{urlencode({'x': 'ü+漢'})}", "X-Other: ü 漢".encode(), token=ada) == 200
    assert await send(hub, f"GET /hub/user-redirect/{umlaut}", token=ada) == 302
    assert await send(hub, "POST /hub/api/users/ada/tokens", body='{"note": "ü 漢"}'.encode(), token=ada) == 201
