"""Login by the signed token in the header X-Auth-Id-Token, which a front door adds to each request."""

import os

from bricsauthenticator import BricsAuthenticator

c = get_config()

c.JupyterHub.authenticator_class = "brics"
c.BricsAuthenticator.oidc_server = os.environ["DEPLOY_CONFIG_OIDC_SERVER"]
c.BricsAuthenticator.brics_platform = os.environ["DEPLOY_CONFIG_BRICS_PLATFORM"]
c.BricsAuthenticator.jwt_audience = os.environ["DEPLOY_CONFIG_JWT_AUDIENCE"]
if hasattr(BricsAuthenticator, "invalid_jwt_logout"):  # a site's own authenticator may lack this
    c.BricsAuthenticator.invalid_jwt_logout = True
