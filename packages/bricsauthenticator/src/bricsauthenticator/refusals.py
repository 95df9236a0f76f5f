"""Why a login is refused, and the HTTP status of each kind.

The message is a sentence for the person and never holds anything of the token. The detail is for the log: a few words
of ours, no text that the caller chose.
"""

from typing import ClassVar


class LoginRefusedError(Exception):
    """Base of all refusals."""

    status: ClassVar[int] = 401

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail or message


class BadTokenError(LoginRefusedError):
    """The token is missing, malformed, foreign or out of date."""

    status = 401


class NotPermittedError(LoginRefusedError):
    """The token is good, and the person it names may not use this platform."""

    status = 403


class IssuerUnavailableError(LoginRefusedError):
    """The issuer's keys cannot be had, and none are known from before."""

    status = 503
