"""HTTP errors whose messages JupyterHub shows to the user."""

from tornado import web


class ShownError(web.HTTPError):
    """An HTTP error with a sentence for the user: on the page, in the progress events and in the REST API.

    Errors of the server have status 503 and not 500, because JupyterHub logs all request headers with a 500, and the
    sign-in token is in one of them.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.jupyterhub_message = message


def refused(message: str) -> ShownError:
    """Return the error for impossible options."""
    return ShownError(400, message)


def not_permitted(message: str) -> ShownError:
    """Return the error for a user who may not start a server now."""
    return ShownError(403, message)


def failed(message: str) -> ShownError:
    """Return the error for a failed spawn."""
    return ShownError(503, message)
