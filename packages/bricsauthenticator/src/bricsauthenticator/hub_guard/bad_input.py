"""The answer to values of a request that JupyterHub's REST API uses without a check."""

from types import TracebackType
from typing import Any

from sqlalchemy.exc import StatementError

from .http_errors import ShownError

UNUSABLE = "The request lacks a value, or has one that this API cannot use."

ERRORS_OF_VALUES = (ArithmeticError, AttributeError, LookupError, StatementError, TypeError, ValueError)
"""What Python and SQLAlchemy raise for a value of another type or size, or a missing one."""

READERS = ("jupyterhub", "tornado", "sqlalchemy", "sqlite3", "psycopg2", "json", "dateutil", "datetime", "asyncio")
"""Packages through which a value passes before anything is done with it."""

NOT_READERS = ("jupyterhub.auth", "jupyterhub.proxy", "jupyterhub.spawner", "jupyterhub.services")
"""Modules of JupyterHub whose errors are those of a site's own classes or of other programs."""


class RefusedInput:
    """Mixin that answers 400 where a handler of JupyterHub fails while it reads a request.

    JupyterHub would answer 500 and log a traceback with the request's headers.
    """

    def send_error(self: Any, status_code: int = 500, **kwargs: Any) -> None:  # noqa: ANN401 - a request handler
        """Send the answer to a failed request."""
        _, error, trace = kwargs.get("exc_info", (None, None, None))
        if is_of_input(error, trace):
            self.db.rollback()  # or every later request would fail
            status_code, shown = 400, ShownError(400, UNUSABLE)
            kwargs["exc_info"] = (ShownError, shown, None)
        super().send_error(status_code, **kwargs)  # type: ignore[misc]

    def log_exception(self: Any, kind: Any, error: Any, trace: Any) -> None:  # noqa: ANN401
        """Log one line about an unusable value, and everything else as usual."""
        if is_of_input(error, trace):
            request = self.request
            self.log.warning("Cannot use %s %s: %s", request.method, request.path, type(error).__name__)
        else:
            super().log_exception(kind, error, trace)  # type: ignore[misc]


def is_of_input(error: BaseException | None, trace: TracebackType | None) -> bool:
    """Whether an error comes from reading a request, as opposed to a failure of what the request started."""
    if not isinstance(error, ERRORS_OF_VALUES):
        return False
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        is_own = module.startswith(__package__)
        if not is_own and (module.startswith(NOT_READERS) or module.split(".", maxsplit=1)[0] not in READERS):
            return False
        trace = trace.tb_next
    return True
