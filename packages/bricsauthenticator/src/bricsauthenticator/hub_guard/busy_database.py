"""The answer to requests that need the hub's database while another program locks it."""

from typing import Any

from sqlalchemy.exc import OperationalError

from .http_errors import ShownError

RETRY_AFTER_S = 10
BUSY = "The hub's database is busy. Please try again in a moment."


class BusyDatabase:
    """Mixin that answers 503 with a sentence, and logs one line, when the database cannot be used."""

    def send_error(self: Any, status_code: int = 500, **kwargs: Any) -> None:  # noqa: ANN401 - a request handler
        """Send the answer to a failed request."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, OperationalError):
            self.db.rollback()  # or every later request would fail
            status_code, shown = 503, ShownError(503, BUSY, headers={"Retry-After": str(RETRY_AFTER_S)})
            kwargs["exc_info"] = (ShownError, shown, None)
        super().send_error(status_code, **kwargs)  # type: ignore[misc]

    def log_exception(self: Any, kind: Any, error: Any, trace: Any) -> None:  # noqa: ANN401
        """Log one line for a busy database, and everything else as usual."""
        if isinstance(error, OperationalError):
            self.log.warning(
                "Cannot use the database for %s %s: %s", self.request.method, self.request.path, error.orig
            )
        else:
            super().log_exception(kind, error, trace)  # type: ignore[misc]
