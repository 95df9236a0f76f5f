"""Refusal of requests that no handler can read: bytes that are not UTF-8, half characters, or JSON of another shape.

JupyterHub's handlers decode some parts of a request without a check. They would fail with status 500 and a traceback.
"""

import inspect
from functools import cache
from typing import Any
from urllib.parse import unquote_to_bytes

from jupyterhub.apihandlers import APIHandler  # type: ignore[import-untyped]
from jupyterhub.apihandlers.auth import OAuthHandler  # type: ignore[import-untyped]
from jupyterhub.handlers import BaseHandler  # type: ignore[import-untyped]
from jupyterhub.handlers.login import LogoutHandler  # type: ignore[import-untyped]
from jupyterhub.utils import maybe_future  # type: ignore[import-untyped]
from tornado import web
from tornado.httputil import HTTPServerRequest
from tornado.routing import RuleRouter

from . import strict_json
from .api_login import LoginByBody
from .bad_input import RefusedInput
from .busy_database import BusyDatabase
from .cookies import ProtectedCookies
from .http_errors import ShownError
from .logout import EndSessions

URLENCODED = "application/x-www-form-urlencoded"


Table = list[tuple[Any, ...]]
"""Paths with their handlers and further arguments, as JupyterHub has them."""


def guard_table(table: Table) -> None:
    """Let all handlers of a table refuse unreadable requests."""
    table[:] = [(path, guarded(handler), *others) for path, handler, *others in table]


def guard_application(application: web.Application) -> None:
    """Let all handlers of a hub that is running refuse unreadable requests."""
    _guard_router(application.default_router)


def _guard_router(router: RuleRouter) -> None:
    for rule in router.rules:
        if isinstance(rule.target, RuleRouter):
            _guard_router(rule.target)
        elif inspect.isclass(rule.target) and issubclass(rule.target, web.RequestHandler):
            handler: Any = rule.target
            rule.target = guarded(handler)


@cache
def guarded(handler: Any) -> Any:  # noqa: ANN401 - a class of request handlers
    """Return a subclass of a handler that refuses unreadable requests."""
    if issubclass(handler, _ReadableRequests):
        return handler
    mixins = [mixin for kind, mixin in MIXINS if issubclass(handler, kind) and not issubclass(handler, mixin)]
    return type(handler.__name__, (*mixins, handler), {"__module__": handler.__module__})


class _ReadableRequests:
    """Mixin that checks a request before any other code of the handler runs."""

    request: HTTPServerRequest

    async def prepare(self) -> None:
        """Refuse an unreadable request with 400."""
        if problem := find_problem(self.request):
            raise ShownError(400, problem)
        if isinstance(self, APIHandler) and not isinstance(self, OAuthHandler):
            check_json(self.request.body)
        await maybe_future(super().prepare())  # type: ignore[misc]


MIXINS: tuple[tuple[type, type], ...] = (
    (web.RequestHandler, _ReadableRequests),
    (web.RequestHandler, ProtectedCookies),
    (LogoutHandler, EndSessions),
    (BaseHandler, BusyDatabase),
    (APIHandler, RefusedInput),
    (APIHandler, LoginByBody),
)
"""What each kind of handler gets, the outermost first."""


def find_problem(request: HTTPServerRequest) -> str:
    """Return why path, query, headers or form of a request cannot be read; empty if they can."""
    parts = {"path": request.path, "query": request.query.replace("+", " ")}
    for name, part in parts.items():
        if not is_plain(unquote_to_bytes(part.encode("latin-1", "replace"))):
            return f"The {name} of the request is not valid UTF-8."
    if not all(is_plain(value.encode("latin-1", "replace")) for _, value in request.headers.get_all()):
        return "A header of the request is not valid UTF-8."
    return "" if _is_readable_form(request) else "The form is not valid UTF-8."


def check_json(body: bytes) -> None:
    """Check that the body of a request to the REST API is empty, null, or one plain JSON object.

    Raises:
        ShownError: 400 with a sentence.
    """
    if not body.strip():
        return
    try:
        parsed = strict_json.parse(body)
    except ValueError:
        raise ShownError(400, "The body is not valid JSON in UTF-8.") from None
    if parsed is not None and not isinstance(parsed, dict):
        raise ShownError(400, "The body must be a JSON object.")
    if not strict_json.is_plain(parsed):
        raise ShownError(400, "The body has characters that are not text.")


def is_plain(content: bytes) -> bool:
    """Whether bytes are UTF-8 without null characters."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _is_readable_form(request: HTTPServerRequest) -> bool:
    if request.headers.get("Content-Type", "").lower().startswith(URLENCODED):
        return is_plain(unquote_to_bytes(request.body.replace(b"+", b" ")))
    return all(is_plain(value) for values in request.body_arguments.values() for value in values)
