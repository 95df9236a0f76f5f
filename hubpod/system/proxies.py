"""The HTTP proxies that the environment of this process names."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from hubpod.system.addresses import is_loopback

NAMES = ("HTTP_PROXY", "HTTPS_PROXY")
NO_PROXY = "NO_PROXY"
POD_HOSTS = ("localhost", "127.0.0.1", "::1")


def proxy_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables of the proxies for a pod, whose own addresses need none; empty without a proxy.

    Programs read the names in either case, and prefer lower case.
    """
    found = {name: value for name in NAMES if (value := _get(environ, name))}
    if not found:
        return {}
    excluded = [each.strip() for each in _get(environ, NO_PROXY).split(",") if each.strip()]
    excluded += [each for each in POD_HOSTS if each not in excluded]
    return {**found, NO_PROXY: ",".join(excluded)}


def find_warnings(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Find proxies that a container does not reach; the sentences contain no password."""
    return tuple(
        f"{name} names a proxy on this machine's own loopback address, which containers do not reach"
        for name in NAMES
        if is_loopback(_host(variables.get(name, "")))
    )


def _host(proxy: str) -> str:
    """Return the host of a proxy, whose scheme may be missing."""
    try:
        return urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or ""
    except ValueError:
        return ""


def _get(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name.lower()) or environ.get(name, "")).strip()
