"""What this machine reaches of the services that a deployment needs, before the hub's image is built."""

import os
import socket
from collections.abc import Mapping

import requests

from hubpod.client.browser import direct_session
from hubpod.components.needs import needs_of
from hubpod.components.site import Site
from hubpod.deployment.answers import Answer, NeedState
from hubpod.settings import zenith_config
from hubpod.system.certificates import ca_bundle

SSH_GREETING = b"SSH-"
TIMEOUT_S = 5.0
DISCOVERY = "/.well-known/openid-configuration"
NOT_BUILT = "it is checked in the hub's image, which is not built yet"


def probe(site: Site) -> tuple[Answer, ...]:
    """Probe the services, and name the needs that cannot be checked without the hub's image."""
    problems = _find_problems(site)
    return tuple(
        Answer(need=need, state=_state_of(problems.get(need.name)), text=problems.get(need.name, NOT_BUILT))
        for need in needs_of(site.instance.environment)
    )


def _state_of(problem: str | None) -> NeedState:
    if problem is None:
        return NeedState.UNCHECKED
    return NeedState.NOT_READY if problem else NeedState.READY


def _find_problems(site: Site) -> Mapping[str, str]:
    """Return the problem of each need that this machine can probe; empty if the service answers."""
    environment, values = site.instance.environment, site.settings
    found: dict[str, str] = {}
    if environment.ingress.uses_zenith and site.key_files.zenith_client_config:
        host, port = zenith_config.server_of(site.key_files.zenith_client_config)
        found["ingress"] = _prefix("serverAddress", find_ssh_problem(host, port))
    if environment.login.uses_token:
        found["issuer"] = _prefix("oidcServer", find_issuer_problem(values.oidc_server))
    if not environment.slurm.in_pod:
        address = values.ssh_address
        found["ssh"] = _prefix("sshHostname", find_ssh_problem(address.host, address.port))
    return found


def _prefix(key: str, problem: str) -> str:
    return f"{key} {problem}" if problem else ""


def find_ssh_problem(host: str, port: int) -> str:
    """Connect to an SSH server, and read its greeting."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            greeting = connection.recv(len(SSH_GREETING))
    except (OSError, UnicodeError) as error:
        return f"{host} does not take SSH connections at port {port}: {getattr(error, 'strerror', None) or error}"
    return "" if greeting == SSH_GREETING else f"{host} has another server than SSH at port {port}"


def find_issuer_problem(issuer: str) -> str:
    """Fetch an issuer's discovery document with the certificates and proxy of this machine."""
    url = issuer.rstrip("/") + DISCOVERY
    try:
        with direct_session(url) as session:
            bundle = ca_bundle()
            session.verify = os.fspath(bundle) if bundle else True
            response = session.get(url, timeout=TIMEOUT_S)
        if not response.ok:
            return f"{url} answers with status {response.status_code}"
        named = response.json().get("issuer")
    except (requests.RequestException, ValueError, AttributeError) as error:
        return f"{url} does not answer: {type(error).__name__}"
    return "" if named == issuer else f"{url} names the issuer {named}, so tokens will have that one, not {issuer}"
