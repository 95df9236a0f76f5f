"""Documents of an issuer that the hub reaches through a proxy only."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from bricsauthenticator.documents import fetch, find_proxy
from bricsauthenticator.issuer_check import find_problem

pytestmark = pytest.mark.asyncio
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class ForwardProxy:
    """A proxy whose only upstream is the issuer, under any name."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.requests: list[str] = []
        self.redirects = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one request in absolute form."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, url, _ = head.split("\r\n")[0].split()
        self.requests.append(url)
        if self.redirects:
            writer.write(b"HTTP/1.0 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n")
        else:
            up_reader, up = await asyncio.open_connection(self.upstream.hostname, self.upstream.port)
            up.write(f"{method} {urlsplit(url).path} HTTP/1.0\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode())
            writer.write(await up_reader.read())
            up.close()
        writer.close()


@pytest_asyncio.fixture
async def proxy(issuer: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ForwardProxy]:
    """A proxy that the environment names."""
    found = ForwardProxy(issuer.url)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield found


async def test_documents_come_through_the_proxy(proxy: ForwardProxy, issuer: Any) -> None:
    """The proxy resolves the name, which the hub need not know."""
    url = f"http://issuer.no-such-name.example{urlsplit(issuer.url).path}/.well-known/openid-configuration"

    assert b"jwks_uri" in await fetch(url, 5)
    assert proxy.requests == [url]


async def test_no_proxy_applies(proxy: ForwardProxy, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An excluded host is reached directly."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal.example")

    assert not await asyncio.to_thread(find_problem, issuer.url)
    assert not proxy.requests
    assert not find_proxy("http://a.internal.example/")
    assert find_proxy("http://other.example/")
    assert not find_proxy("https://other.example/")


async def test_a_redirect_is_an_error(proxy: ForwardProxy) -> None:
    """No request goes to another host than the issuer."""
    proxy.redirects = True

    with pytest.raises(OSError, match="302"):
        await fetch("http://issuer.example/", 5)
    assert len(proxy.requests) == 1
