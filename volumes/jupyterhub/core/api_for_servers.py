"""The hub's API as users' servers reach it: past the proxy, at the address of the hub's pod."""

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, OutputTransform

c = get_config()

PROXY = "127.0.0.1"

# Servers never share the hub's network, in which they could take the hub's port while the hub restarts. The proxy does.
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = f"http://{PROXY}:8081"


def _is_from_proxy(request: HTTPServerRequest) -> bool:
    # The peer address of the connection; the client controls the headers.
    return bool(request.connection.context.address[0] == PROXY)


class ProxysHeaders(OutputTransform):
    """Ignore cookies and forwarded addresses past the proxy.

    A stolen cookie would bypass the front door there, and a job could write any address into the log.

    Users' servers authenticate with tokens. Tornado creates the transforms before a handler reads the request.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        if not _is_from_proxy(request):
            request.headers.pop("Cookie", None)
            request.remote_ip, request.protocol = request.connection.context.address[0], "http"


def through_the_proxy(
    _authenticator: Authenticator, handler: BaseHandler, authentication: dict[str, object]
) -> dict[str, object]:
    """Refuse logins past the proxy, where a stolen token would bypass the front door."""
    if not _is_from_proxy(handler.request):
        raise HTTPError(403, "Log in at the hub's public address. This address is for notebook servers only.")
    return authentication


c.Authenticator.post_auth_hook = through_the_proxy
c.JupyterHub.tornado_settings.update({"transforms": [ProxysHeaders]})
