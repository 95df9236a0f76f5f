"""The certificate authorities that this machine trusts."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CA_VARIABLES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    "GIT_SSL_CAINFO",
)
"""Variables that name a bundle of authorities: for OpenSSL, uv and podman, pip, requests, curl, npm and git."""

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


@contextmanager
def trusting(authorities: bytes | None) -> Iterator[None]:
    """Let downloads trust a site's authorities besides those of this machine, until the end of the block.

    git, podman and builds get one bundle of both by their variables, which is what `ca_bundle` then returns.

    Args:
        authorities: Certificates in PEM format; None changes nothing.
    """
    if not authorities:
        yield
        return
    usual = ca_bundle()
    with tempfile.TemporaryDirectory(prefix="hubpod-authorities-") as directory:
        path = Path(directory) / "ca-certificates.crt"
        path.write_bytes((usual.read_bytes().rstrip() + b"\n" if usual else b"") + authorities)
        path.chmod(0o644)
        path.parent.chmod(0o755)  # apt reads the file as another user
        before = {name: os.environ.get(name) for name in CA_VARIABLES}
        os.environ.update(dict.fromkeys(CA_VARIABLES, str(path)))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
