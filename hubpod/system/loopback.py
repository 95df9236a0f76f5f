"""This machine as an address: which hosts are it, and asking a server on it for a page."""

import ipaddress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether that host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def fetch_status(url: str, timeout_s: float) -> int:
    """The status with which a server on this machine answers a GET; redirects are answers, too.

    It is asked directly: a proxy that the environment names is no way to this machine.

    Raises:
        ConnectionError: It did not answer, or with something else than HTTP; the text is for people.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=timeout_s)
    try:
        connection.request("GET", address.path)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException) as error:
        raise ConnectionError(getattr(error, "strerror", None) or type(error).__name__) from error
    finally:
        connection.close()
    return response.status
