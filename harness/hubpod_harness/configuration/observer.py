"""JupyterHub service of the harness, with a token that reads everything and stops servers."""

import os

c = get_config()

c.JupyterHub.services = [{"name": "hubpod-observer", "api_token": os.environ["HUBPOD_OBSERVER_TOKEN"]}]
c.JupyterHub.load_roles = [
    {
        "name": "hubpod-observer",
        "scopes": ["admin:users", "admin:server_state", "admin:servers", "read:hub", "proxy"],
        "services": ["hubpod-observer"],
    }
]
