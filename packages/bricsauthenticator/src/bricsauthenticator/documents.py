"""Requests for the documents of an issuer: directly, or through the proxy that the environment names.

HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply as for other programs. Redirects are not followed, and the size is limited.
"""

import asyncio
import time
import urllib.request
from http.client import HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

MAX_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024


class DocumentError(Exception):
    """The response is too long, or arrives too slowly."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0913, PLR0917 - the base's
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Leave the redirect to the caller, as an error."""


def find_proxy(url: str) -> str:
    """Return the proxy for a URL; empty without one."""
    parts = urlsplit(url)
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")


async def fetch(url: str, timeout_s: float) -> bytes:
    """Fetch a document without blocking the hub."""
    if proxy := find_proxy(url):
        return await asyncio.to_thread(_fetch_through, proxy, url, timeout_s)
    # The simple client, because only it limits the size of a response. It knows no proxies.
    client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=MAX_BYTES)
    try:
        request = HTTPRequest(url, connect_timeout=timeout_s, request_timeout=timeout_s, follow_redirects=False)
        return (await client.fetch(request)).body
    finally:
        client.close()


def _fetch_through(proxy: str, url: str, timeout_s: float) -> bytes:
    deadline, body = time.monotonic() + timeout_s, b""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({urlsplit(url).scheme: proxy}), _NoRedirects())
    with opener.open(url, timeout=timeout_s) as response:
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                raise DocumentError("the response is too long or too slow")
    return body
