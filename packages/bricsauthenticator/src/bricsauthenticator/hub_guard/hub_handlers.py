"""The request handlers that this package puts before the hub's own ones at the same paths.

The hub adds them, and not an import: through BricsAuthenticator.get_handlers, through its configuration, or with its
first BricsSlurmSpawner. batchspawner's unguarded handler acts on an existing spawner only, so the last way is always
in time for it.

All handlers of the hub, its own included, refuse requests that they cannot read. A handler that a site's own
authenticator has at one of the paths stays.
"""

import re
from typing import Any

from jupyterhub import apihandlers, handlers  # type: ignore[import-untyped]
from jupyterhub.apihandlers.users import UserAPIHandler, UserServerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.handlers.login import LogoutHandler  # type: ignore[import-untyped]
from jupyterhub.handlers.pages import SpawnHandler  # type: ignore[import-untyped]
from tornado.httputil import HTTPServerRequest, RequestStartLine

from .logout import LogoutPageHandler
from .port_report import PATH, PortReportHandler
from .readable_request import guard_application, guard_table, guarded
from .spawn_request import SpawnPageHandler, SpawnRequestHandler
from .user_deletion import UserDeletionHandler

Handlers = list[tuple[str, type]]


def own_handlers() -> Handlers:
    """Return this package's handlers with the paths that they take over, below the hub's prefix."""
    return [
        (PATH, PortReportHandler),
        *((path, SpawnPageHandler) for path, handler, *_ in handlers.default_handlers if handler is SpawnHandler),
        *(
            (path, SpawnRequestHandler)
            for path, handler, *_ in apihandlers.default_handlers
            if handler is UserServerAPIHandler
        ),
        *(
            (path, UserDeletionHandler)
            for path, handler, *_ in apihandlers.default_handlers
            if handler is UserAPIHandler
        ),
        *((path, LogoutPageHandler) for path, handler, *_ in handlers.default_handlers if handler is LogoutHandler),
    ]


def install(app: Any) -> None:  # noqa: ANN401 - JupyterHub's application
    """Put the handlers before all others of a hub, unless they are there already."""
    application = getattr(app, "tornado_application", None)
    if application is None:
        app.observe(_put_first, names="handlers")  # the hub is about to make this list
        return
    if not _is_installed(app, application):
        # Handlers with a host pattern precede those without.
        application.add_handlers(".*", app.add_url_prefix(app.hub_prefix, own_handlers()))
    guard_application(application)


def install_in_starting_hub() -> None:
    """Install the handlers in the hub that loads the current configuration file, if one does."""
    if JupyterHub.initialized():
        install(JupyterHub.instance())


def _put_first(change: Any) -> None:  # noqa: ANN401 - a traitlets bunch
    app, table = change["owner"], change["new"]
    if not any(issubclass(handler, PortReportHandler) for _, handler, *_ in table):
        present = {path: handler for path, handler, *_ in reversed(table)}  # the first one of a path
        own = app.add_url_prefix(app.hub_prefix, own_handlers())
        table[:0] = [
            (path, handler)
            for path, handler in own
            if handler is PortReportHandler or issubclass(handler, present.get(path, object))
        ]
    table.append((f"{re.escape(app.hub_prefix)}.*", handlers.base.Template404))  # JupyterHub adds its own one later
    guard_table(table)
    app.tornado_settings["static_handler_class"] = guarded(app.tornado_settings["static_handler_class"])


def _is_installed(app: Any, application: Any) -> bool:  # noqa: ANN401
    """Whether the hub hands a report of a port to PortReportHandler."""
    start_line = RequestStartLine("POST", f"{app.hub_prefix.rstrip('/')}{PATH}", "HTTP/1.0")
    request = HTTPServerRequest(start_line=start_line)
    return issubclass(application.find_handler(request).handler_class, PortReportHandler)
