"""The certificate authorities that this machine trusts."""

import os
from pathlib import Path

CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def ca_bundle() -> Path | None:
    """Return the CA bundle named by the environment, else the system's, or None if neither exists."""
    named = [os.environ.get(variable, "") for variable in CA_VARIABLES]
    candidates = [Path(path) for path in (*named, *SYSTEM_BUNDLES) if path]
    return next((path for path in candidates if path.is_file()), None)
