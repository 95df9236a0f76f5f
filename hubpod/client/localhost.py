"""Connections to names below localhost, which are this machine and not every resolver knows (RFC 6761)."""

import socket
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

LOOPBACK = "127.0.0.1"
HTTP_PORT = 80


class LocalhostAdapter(HTTPAdapter):
    """Connects to this machine for names below localhost."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request, and let the response appear to come from the name."""
        url = request.url or ""
        if not _is_below_localhost(url):
            return super().send(request, *args, **options)
        parts = urlsplit(url)
        direct = request.copy()
        direct.url = urlunsplit(parts._replace(netloc=f"{LOOPBACK}:{parts.port or HTTP_PORT}"))
        direct.headers["Host"] = parts.netloc
        response = super().send(direct, *args, **options)
        response.url, response.request = url, request
        return response


def connect_below_localhost(url: str, timeout_s: float) -> socket.socket | None:
    """Connect to the host of a URL below localhost; None for all others, which are resolved."""
    if not _is_below_localhost(url):
        return None
    return socket.create_connection((LOOPBACK, urlsplit(url).port or HTTP_PORT), timeout_s)


def _is_below_localhost(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(".localhost")
