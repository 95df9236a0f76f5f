"""Behind a Zenith tunnel the front door keeps a session of its own, which must end with the hub's."""

import os
from urllib.parse import quote

c = get_config()

base_url = os.environ["DEPLOY_CONFIG_BASE_URL"].rstrip("/")

# The tunnel's subdomain is the base path, and below it `_oidc` belongs to the front door.
c.BricsAuthenticator.logout_redirect_url = f"{base_url}/_oidc/sign_out?rd={quote(f'{base_url}/', safe='')}"
