"""The hub's request log without the sign-in token."""

from collections.abc import Callable
from typing import Any

TOKEN_HEADER = "X-Auth-Id-Token"  # noqa: S105 - the name of a header

LogFunction = Callable[[Any], None]


def without_token(log_request: LogFunction) -> LogFunction:
    """Wrap a log function so that it never sees the sign-in token.

    JupyterHub logs all headers after a server error.
    """

    def log(handler: Any) -> None:  # noqa: ANN401 - a tornado request handler
        if TOKEN_HEADER in handler.request.headers:
            del handler.request.headers[TOKEN_HEADER]
        log_request(handler)

    return log
