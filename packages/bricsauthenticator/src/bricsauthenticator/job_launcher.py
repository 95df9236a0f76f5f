"""The program that a job runs: report a free port to the hub, then become the server.

The job script carries its text, so that the site's environment needs nothing for it but Python 3.6. `python3 -I` runs
it: files and variables of the user (`~/.netrc`, proxies, PYTHONPATH, usercustomize) do not reach the report, and the
server gets them unchanged.
"""

import http.client
import json
import os
import socket
import ssl
import sys
import time
from shutil import which
from typing import NoReturn
from urllib.parse import urlsplit

HUB_UNREACHABLE = 69  # EX_UNAVAILABLE of sysexits.h; the hub's table of ends has these
HUB_REFUSED = 77  # EX_NOPERM
NOT_FOUND = 127
HUB_PORTS = (8000, 8001, 8081)
ATTEMPTS = 3
PAUSE_S = 1
TIMEOUT_S = 10
FIRST_SERVER_ERROR = 500
CREATED = 201
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def fail(status: int, sentence: str) -> NoReturn:
    """End the job with one line in its log."""
    sys.stderr.write("jupyterhub: " + sentence + "\n")
    raise SystemExit(status)


def free_port() -> int:
    """Return a port that nothing listens on and that is not one of the hub's."""
    while True:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = int(probe.getsockname()[1])
        if port not in HUB_PORTS:
            return port


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the system, the bundles of the environment, and JupyterHub's internal CA."""
    context = ssl.create_default_context()
    authority = os.environ.get("JUPYTERHUB_SSL_CLIENT_CA")
    for path in [authority, *map(os.environ.get, BUNDLES)]:
        try:
            if path:
                context.load_verify_locations(path)
        except OSError:  # a bundle that the user has broken
            continue
    if os.environ.get("JUPYTERHUB_SSL_CERTFILE") and os.environ.get("JUPYTERHUB_SSL_KEYFILE"):
        context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
    return context


def send(port: int) -> "tuple[int, str]":
    """Send one report, and return the status and the text of the answer."""
    url = urlsplit(os.environ["JUPYTERHUB_API_URL"])
    if url.scheme == "https":
        hub: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.netloc, timeout=TIMEOUT_S, context=tls_context()
        )
    else:
        hub = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT_S)
    headers = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"], "Content-Type": "application/json"}
    try:
        hub.request("POST", url.path.rstrip("/") + "/batchspawner", json.dumps({"port": port}), headers)
        answer = hub.getresponse()
        return answer.status, answer.read(2000).decode("utf-8", "replace")
    finally:
        hub.close()


def report(port: int) -> None:
    """Report the port, or end the job with the reason."""
    address = os.environ["JUPYTERHUB_API_URL"]
    for attempt in range(1, ATTEMPTS + 1):
        try:
            status, text = send(port)
        except (OSError, http.client.HTTPException) as error:
            status, text = 0, str(error) or type(error).__name__
        if status == CREATED:
            return
        if (status and status < FIRST_SERVER_ERROR) or attempt == ATTEMPTS:
            break
        time.sleep(PAUSE_S)
    if status:
        words = " ".join(text.split())[:200]
        fail(HUB_REFUSED, "the hub refused the report of the port with HTTP {}: {}".format(status, words))  # noqa: UP032
    fail(HUB_UNREACHABLE, "the hub cannot be reached at {}: {}".format(address, text))  # noqa: UP032


def main(command: "list[str]") -> None:
    """Report a port and become the server."""
    program = which(command[0])
    if program is None:
        fail(NOT_FOUND, command[0] + " is not in PATH: " + os.environ.get("PATH", ""))
    port = free_port()
    report(port)
    url = os.environ.get("JUPYTERHUB_SERVICE_URL", "")
    if url:
        parts = urlsplit(url)
        os.environ["JUPYTERHUB_SERVICE_URL"] = parts._replace(netloc="{}:{}".format(parts.hostname, port)).geturl()  # noqa: UP032
    sys.stderr.flush()
    os.execv(program, [program] + command[1:])  # noqa: RUF005, S606


if __name__ == "__main__":
    main(sys.argv[1:])
