"""The reasons for refusing a login, each with its HTTP status.

The message is a sentence for the user and never holds any part of the token. The detail is for the log: a few words of
ours, and no text that the client chose.
"""

from typing import ClassVar

from tornado import web

RETRY_AFTER_S = 60


class LoginRefusedError(Exception):
    """Base class of all reasons.

    Attributes:
        status: The HTTP status.
        outcome: The reason's name in the metrics.
    """

    status: ClassVar[int] = 401
    outcome: ClassVar[str] = "bad_token"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail or message


class BadTokenError(LoginRefusedError):
    """The token is missing, malformed, foreign or out of date."""


class NotPermittedError(LoginRefusedError):
    """The token is valid, but its user may not use this platform."""

    status = 403
    outcome = "not_permitted"


class IssuerUnavailableError(LoginRefusedError):
    """The issuer's keys cannot be fetched, and none are cached."""

    status = 503
    outcome = "issuer_unavailable"


class LoginHTTPError(web.HTTPError):
    """A refused login as JupyterHub shows it.

    The page has the sentence for the user. JupyterHub adds no line to the log.

    Attributes:
        refusal: The reason.
        headers: HTTP headers that JupyterHub adds to the response.
    """

    def __init__(self, refusal: LoginRefusedError) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal
        self.jupyterhub_message = refusal.message
        unavailable = isinstance(refusal, IssuerUnavailableError)
        self.headers = {"Retry-After": str(RETRY_AFTER_S)} if unavailable else {}
