"""The request handlers that this package puts before the hub's own ones at the same paths.

The hub adds them, and not an import: through BricsAuthenticator.get_handlers, through its configuration, or with its
first BricsSlurmSpawner. batchspawner's unguarded handler acts on an existing spawner only, so the last way is always
in time for it.
"""

from typing import Any

from jupyterhub import apihandlers, handlers  # type: ignore[import-untyped]
from jupyterhub.apihandlers.users import UserAPIHandler, UserServerAPIHandler  # type: ignore[import-untyped]
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.handlers.pages import SpawnHandler  # type: ignore[import-untyped]
from tornado.httputil import HTTPServerRequest, RequestStartLine

from bricsauthenticator.port_report import PATH, PortReportHandler
from bricsauthenticator.spawn_request import SpawnPageHandler, SpawnRequestHandler
from bricsauthenticator.user_deletion import UserDeletionHandler

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
    ]


def install(app: Any) -> None:  # noqa: ANN401 - JupyterHub's application
    """Put the handlers before all others of a hub, unless they are there already."""
    application = getattr(app, "tornado_application", None)
    if application is None:
        app.observe(_put_first, names="handlers")  # the hub is about to make this list
    elif not _is_installed(app, application):
        # Handlers with a host pattern precede those without.
        application.add_handlers(".*", app.add_url_prefix(app.hub_prefix, own_handlers()))


def install_in_starting_hub() -> None:
    """Install the handlers in the hub that loads the current configuration file, if one does."""
    if JupyterHub.initialized():
        install(JupyterHub.instance())


def _put_first(change: Any) -> None:  # noqa: ANN401 - a traitlets bunch
    app, table = change["owner"], change["new"]
    if not any(handler is PortReportHandler for _, handler, *_ in table):
        table[:0] = app.add_url_prefix(app.hub_prefix, own_handlers())


def _is_installed(app: Any, application: Any) -> bool:  # noqa: ANN401
    """Whether the hub hands a report of a port to PortReportHandler."""
    start_line = RequestStartLine("POST", f"{app.hub_prefix.rstrip('/')}{PATH}", "HTTP/1.0")
    request = HTTPServerRequest(start_line=start_line)
    return application.find_handler(request).handler_class is PortReportHandler
