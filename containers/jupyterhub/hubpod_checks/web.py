"""Requests of the hub, or to it: the login page, the API, the issuer, and a port of a compute node."""

import errno
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from hubpod_checks.answers import Answer, judge, unchecked
from hubpod_checks.hub_settings import HubSettings
from hubpod_checks.listeners import find_proxy_problem

TIMEOUT_S = 5.0
PAUSE_S = 0.1
MAX_BYTES = 256 * 1024
SLURMD_PORT = 6818
PROXY_API_PORT = 8001
ISSUER_LIMIT_S = 15.0
"""Seconds for a request that ends itself after five, and for the start of Python on a machine under load."""
ZENITH_LIMIT_S = 12.0
REQUEST = b"SEND_CONFIGURATION"
SSH_OPTIONS = (
    *(
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "LogLevel=ERROR",
    ),
    # As the client: the server proves nothing, and the front door's certificate does.
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
)
REQUEST_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"})
USABLE_KEYS = Path("/tmp/hubpod-usable-keys")  # noqa: S108 - in the container
PYTHON = "/opt/jupyterhub/bin/python"
NOT_OURS = 99
FETCH_KEYS = f"""
import sys
try:
    from bricsauthenticator.issuer_check import find_problem
except ImportError:
    sys.exit({NOT_OURS})
problem = find_problem(sys.argv[1], sys.argv[2:])
print(problem)
"""


def fetch(url: str, patience_s: float) -> tuple[int, bytes, str]:
    """Request a URL of the pod, and wait while nothing listens there yet.

    Returns:
        Status, body and problem. The status is 0 if there is no answer.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with opener.open(url, timeout=TIMEOUT_S) as response:
                return response.status, response.read(MAX_BYTES), ""
        except urllib.error.HTTPError as error:
            status, problem = error.code, f"answers with status {error.code}"
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            status, problem = 0, f"does not answer: {getattr(reason, 'strerror', None) or reason}"
        starting = status in {0, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY}
        if not starting or time.monotonic() > deadline:
            return status, b"", problem
        time.sleep(PAUSE_S)


def check_login(hub: HubSettings, patience_s: float) -> Answer:
    """Request the login page through the proxy."""
    return judge("login", find_login_problem(hub.login_page, patience_s))


def find_login_problem(page: str, patience_s: float) -> str:
    """Request the login page, and check that it comes from the proxy."""
    status, _, problem = fetch(page, patience_s)
    # The JWT login answers 401 without a token, which proves that the hub works.
    works = status and status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_FOUND
    if not works:
        return f"{page} {problem}"
    return find_proxy_problem((urlsplit(page).port or 0, PROXY_API_PORT))


def check_api(hub: HubSettings, patience_s: float) -> Answer:
    """Request the hub's API where servers of the instance reach it."""
    _, body, problem = fetch(hub.hub_api, patience_s)
    return judge("api", "" if b'"version"' in body else f"{hub.hub_api} {problem or 'is not the API of a hub'}")


def check_issuer(hub: HubSettings) -> Answer:
    """Fetch the issuer's keys with the hub's resolver, certificates and proxy.

    Whether the hub can use them is checked by its own code, once for each set of keys, because that takes a second.
    """
    if not hub.issuer:
        return judge("issuer", "oidcServer is not set")
    os.environ.update({name: value for name, value in hub.environ.items() if name.upper() in REQUEST_VARIABLES})
    body, problem = _fetch_keys(hub.issuer)
    digest = hashlib.sha256(body).hexdigest()
    if not problem and (not USABLE_KEYS.exists() or USABLE_KEYS.read_text() != digest):
        problem = _find_problem_of_keys(hub)
        if not problem:
            USABLE_KEYS.write_text(digest)
    return judge("issuer", f"oidcServer {hub.issuer}: {problem}" if problem else "")


def _fetch_keys(issuer: str) -> tuple[bytes, str]:
    """Fetch the discovery document and the keys that it names; return them and the problem."""
    url, body = f"{issuer.rstrip('/')}/.well-known/openid-configuration", b""
    try:
        for _ in range(2):
            if not url.startswith(("https://", "http://")):
                return b"", "names no http or https URL of its keys"
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - checked above
                body = response.read(MAX_BYTES)
            document = json.loads(body)
            url = str(document.get("jwks_uri", ""))
    except (OSError, ValueError, AttributeError) as error:
        return b"", f"{url} does not answer: {getattr(error, 'reason', None) or error}"
    return body, "" if document.get("keys") else "has no keys"


def _find_problem_of_keys(hub: HubSettings) -> str:
    argv = [PYTHON, "-c", FETCH_KEYS, hub.issuer, *hub.key_origins]
    try:
        done = subprocess.run(
            argv, env=hub.environ, capture_output=True, text=True, check=False, timeout=ISSUER_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {ISSUER_LIMIT_S:.0f} s"
    if done.returncode in {0, NOT_OURS}:  # a site's own authenticator has its own code
        return done.stdout.strip()
    return (done.stderr.strip().splitlines() or ["the check failed"])[-1]


def check_node(nodes: dict[str, str], slurm_host: str) -> Answer:
    """Connect to a compute node at the address that Slurm gives it."""
    why = ""
    for name, address in nodes.items():
        where = slurm_host if address.startswith("127.") or address in {"::1", "localhost"} else address
        try:
            socket.create_connection((where, SLURMD_PORT), TIMEOUT_S).close()
        except socket.gaierror:
            return judge("node", f"the hub finds no address for {where}, the NodeAddr of node {name} in Slurm")
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                reason = os.strerror(error.errno) if error.errno else "timed out"
                why = f"node {name} at {where} cannot be probed at port {SLURMD_PORT}: {reason}"
                continue
        return judge("node", "")
    return unchecked("node", why or "Slurm named no node that runs jobs")


def check_zenith(host: str, port: str, key: str) -> Answer:
    """Log in to the Zenith server as the tunnel's client does, without a tunnel.

    A server that accepts the key requests the configuration of a tunnel. It gets none.
    """
    argv = ["ssh", "-T", "-i", key, "-p", port, *SSH_OPTIONS, "--", f"zenith@{host}"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ssh:
        limit = threading.Timer(ZENITH_LIMIT_S, ssh.kill)
        limit.start()
        accepted = any(REQUEST in line for line in ssh.stdout or ())
        limit.cancel()
        ssh.kill()
        err = ssh.stderr.read() if ssh.stderr else b""
    if accepted:
        return judge("ingress", "")
    lines = err.decode("utf-8", "replace").strip().splitlines() or ["it ends the connection"]
    return judge(
        "ingress", f"serverAddress {host}, port {port}: the Zenith server does not accept the key: {lines[-1]}"
    )
