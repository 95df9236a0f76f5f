"""External Slurm: it has other users besides the hub, and its nodes reach the hub's API at a published address."""

import os

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, OutputTransform

from bricsauthenticator import BricsSlurmSpawner

c = get_config()

PROXY = "127.0.0.1"

# The hub listens on all addresses of the pod, because the host publishes its port. The proxy connects inside the pod.
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://127.0.0.1:8081"

# One query per interval covers all servers, so the load on Slurm's controller is one RPC per interval for any number of
# servers. The short interval applies while a user waits for a server.
c.BatchSpawnerBase.poll_interval = int(os.environ["DEPLOY_CONFIG_POLL_INTERVAL"])
c.BatchSpawnerBase.startup_poll_interval = 2
# Where jobs cannot be listed together, each running server costs one query a minute.
ALONE_INTERVAL = 60
if hasattr(BricsSlurmSpawner, "idle_query_interval"):
    c.BricsSlurmSpawner.idle_query_interval = ALONE_INTERVAL
else:
    c.BatchSpawnerBase.poll_interval = ALONE_INTERVAL


# Home directories are where the Slurm host has them. In the pod, hubpod creates them at the default place.
if hasattr(BricsSlurmSpawner, "batch_home_cmd"):
    wrappers = os.environ["DEPLOY_CONFIG_SLURMSPAWNER_WRAPPERS_BIN"]
    c.BricsSlurmSpawner.batch_home_cmd = f"SLURMSPAWNER_JOB_ID=home {wrappers}/slurmspawner_squeue"


def _is_from_proxy(request: HTTPServerRequest) -> bool:
    # The peer address of the connection; the client controls the headers.
    return bool(request.connection.context.address[0] == PROXY)


class ProxysHeaders(OutputTransform):
    """Ignore cookies and forwarded addresses at the published address.

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
    """Refuse logins at the published address, where a stolen token would bypass the front door."""
    if not _is_from_proxy(handler.request):
        raise HTTPError(403, "Log in at the hub's public address. This address is for notebook servers only.")
    return authentication


# Jobs have the account's login environment, as in a terminal on the cluster: /etc/profile, modules, ~/.profile. Not by
# Slurm's --get-user-env: it needs CAP_SYS_ADMIN in slurmd, and holds the job if a login script takes too long.
c.BatchSpawnerBase.req_prologue = 'shopt -q login_shell || exec bash -l "$0"'


c.Authenticator.post_auth_hook = through_the_proxy
c.JupyterHub.tornado_settings.update({"transforms": [ProxysHeaders]})
