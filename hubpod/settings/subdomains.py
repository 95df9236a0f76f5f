"""The setting ``subdomainHost``: the URL of a host below which each user's server has a name."""

import re
from urllib.parse import urlsplit

from hubpod.settings import checks
from hubpod.system.addresses import is_loopback, parse_address

MAX_HOST_CHARACTERS = 180
"""A host name has at most 253 characters and a label of it 63 (RFC 1035)."""

LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


def find_problem(value: str) -> str:
    """Require nothing, or the URL of a host that can have names below it.

    A browser drops the cookies of a host without a dot that are for the names below it.
    """
    problem = checks.url(value) if value else ""
    if problem or not value:
        return problem
    parts = urlsplit(value)
    host = parts.hostname or ""
    if parts.path:
        return "must be a URL without a path, such as https://hub.example.org"
    if parse_address(host) or not re.fullmatch(rf"{LABEL}(\.{LABEL})+", host):
        return "must have a host name with a dot, because each user's server has a name below it"
    if len(host) > MAX_HOST_CHARACTERS:
        return f"must have a host name of at most {MAX_HOST_CHARACTERS} characters, below which users' names fit"
    is_safe = parts.scheme == "https" or is_loopback(host)
    return "" if is_safe else "must start with https://, except for a host below localhost"


def complete(host: str, port: int) -> str:
    """Add the published port to the URL of a host that means this machine, unless it has a port."""
    parts = urlsplit(host)
    is_complete = not host or parts.port or not is_loopback(parts.hostname or "")
    return host if is_complete or not port else f"{host}:{port}"
