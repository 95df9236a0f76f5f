"""Why a login is refused, and the HTTP status of each kind.

The message is a sentence for the person and never holds anything of the token. The detail is for the log: a few words
of ours, no text that the caller chose.
"""

from typing import ClassVar

from tornado import web

RETRY_AFTER_S = 60


class LoginRefusedError(Exception):
    """Base of all refusals.

    Attributes:
        status: The HTTP status.
        outcome: The kind's name in the metrics.
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
    """The token is good, and the person it names may not use this platform."""

    status = 403
    outcome = "not_permitted"


class IssuerUnavailableError(LoginRefusedError):
    """The issuer's keys cannot be had, and none are known from before."""

    status = 503
    outcome = "issuer_unavailable"


class LoginHTTPError(web.HTTPError):
    """A refusal as JupyterHub shows it: its sentence on the page, and in no further line of the log.

    Attributes:
        refusal: Why.
        headers: What JupyterHub adds to the answer.
    """

    def __init__(self, refusal: LoginRefusedError) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal
        self.jupyterhub_message = refusal.message
        unavailable = isinstance(refusal, IssuerUnavailableError)
        self.headers = {"Retry-After": str(RETRY_AFTER_S)} if unavailable else {}
