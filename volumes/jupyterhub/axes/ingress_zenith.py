"""Ingress by a Zenith tunnel: a logout also ends the session at the Zenith server's front door."""

import os
from urllib.parse import quote

c = get_config()

base_url = os.environ["DEPLOY_CONFIG_BASE_URL"].rstrip("/")

# The base path is the tunnel's subdomain, and the front door serves `_oidc` below it.
c.BricsAuthenticator.logout_redirect_url = f"{base_url}/_oidc/sign_out?rd={quote(f'{base_url}/', safe='')}"

# The tunnel's client connects to the proxy from this machine. The address before its own one is the user's, which the
# front door reports.
c.JupyterHub.trusted_downstream_ips = ["127.0.0.1"]
