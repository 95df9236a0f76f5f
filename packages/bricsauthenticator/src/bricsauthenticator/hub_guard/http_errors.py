"""HTTP errors whose messages JupyterHub shows to the user."""

from collections.abc import Mapping
from types import MappingProxyType

from tornado import web


class ShownError(web.HTTPError):
    """An HTTP error with a sentence for the user.

    JupyterHub shows the sentence on the page, in the progress events and in the REST API.

    Errors of the server have status 503 and not 500, because JupyterHub logs all request headers with a 500, and the
    sign-in token is in one of them.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(status, message)
        self.jupyterhub_message = message
        self.headers = dict(headers)


def options_refusal(message: str) -> ShownError:
    """Return the error for options that cannot be used."""
    return ShownError(400, message)


def permission_refusal(message: str) -> ShownError:
    """Return the error for a user who may not start a server now."""
    return ShownError(403, message)


def spawn_failure(message: str) -> ShownError:
    """Return the error for a failed spawn."""
    return ShownError(503, message)


def stop_failure(message: str) -> ShownError:
    """Return the error for a job that cannot be stopped."""
    return ShownError(503, message)
