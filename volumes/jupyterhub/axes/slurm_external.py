"""Slurm elsewhere serves many people besides the hub, and its nodes reach the hub's API at a published address."""

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, OutputTransform

c = get_config()

PROXY = "127.0.0.1"

# On all addresses of the pod, of which the host publishes one; proxy and hub speak to each other inside.
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://127.0.0.1:8081"

# A person is to know within five seconds of Slurm that a server ended, or why there will be none. A look costs Slurm's
# controller an RPC, and one in this time is for all servers together, however many they are.
c.BatchSpawnerBase.poll_interval = 2
c.BatchSpawnerBase.startup_poll_interval = 2


def _is_from_proxy(request: HTTPServerRequest) -> bool:
    # The address of the connection itself; the headers of a request say what its sender likes.
    return bool(request.connection.context.address[0] == PROXY)


class ProxysCookies(OutputTransform):
    """Let nobody have logged in at the published address: a stolen cookie would be good there without its front door.

    Servers come with tokens. Tornado makes a transform of each answer before anybody reads the request.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        if not _is_from_proxy(request):
            request.headers.pop("Cookie", None)


def through_the_proxy(
    _authenticator: Authenticator, handler: BaseHandler, authentication: dict[str, object]
) -> dict[str, object]:
    """Let nobody log in at the published address: a stolen token would be good there without its front door."""
    if not _is_from_proxy(handler.request):
        raise HTTPError(403, "People log in at the hub's public address. This one is for their notebooks.")
    return authentication


c.Authenticator.post_auth_hook = through_the_proxy
c.JupyterHub.tornado_settings.update({"transforms": [ProxysCookies]})
