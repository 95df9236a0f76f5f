"""The programs that listen in the network of the hub's pod."""

import os
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # proc_net_tcp(5)
LISTENING = "0A"


def find_owners(port: int) -> set[int]:
    """Return the user ids of the programs that listen on a port."""
    lines = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    return {int(row[7]) for row in lines if row[3] == LISTENING and row[1].endswith(f":{port:04X}")}


def find_proxy_problem(ports: tuple[int, ...]) -> str:
    """Find a port of the proxy on which it does not listen; another program there could imitate its pages.

    Proxy and hub run as one user.
    """
    for port in ports:
        owners = find_owners(port)
        if not owners:
            return f"the proxy does not listen on port {port}"
        if owners != {os.getuid()}:
            return f"another program than the proxy listens on port {port}"
    return ""
