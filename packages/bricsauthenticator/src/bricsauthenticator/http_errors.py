"""Errors that JupyterHub shows to the person as they are."""

from tornado import web


class ShownError(web.HTTPError):
    """An HTTP error whose message is meant for the person: on the page, in the progress events and in the REST API.

    Server-side statuses are 503 and not 500, because JupyterHub logs all request headers with a 500, and the sign-in
    token is one of them.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.jupyterhub_message = message


def refused(message: str) -> ShownError:
    """Return the error for a choice that is not possible."""
    return ShownError(400, message)


def not_permitted(message: str) -> ShownError:
    """Return the error for a person who may not have a server now."""
    return ShownError(403, message)


def failed(message: str) -> ShownError:
    """Return the error for a server that could not be started."""
    return ShownError(503, message)
