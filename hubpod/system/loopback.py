"""HTTP requests to servers on this machine."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def fetch_status(url: str, timeout_s: float) -> int:
    """Return the HTTP status of a GET to a server on this machine, without following redirects.

    The request bypasses any proxy that the environment names, because a proxy does not reach this machine.

    Raises:
        ConnectionError: The server did not answer, or not with HTTP. The text states the reason.
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
