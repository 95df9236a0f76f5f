"""What the hub's configuration adds for a site's own authenticator and settings."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ORIGINAL = {
    "DEPLOY_CONFIG_OIDC_SERVER": "",
    "DEPLOY_CONFIG_BRICS_PLATFORM": "",
    "DEPLOY_CONFIG_JWT_AUDIENCE": "",
    "JUPYTERHUB_SRV_DIR": "/srv/jupyterhub",
}
"""Variables that configurations written for brics_jupyterhub_envs read in every environment, with their defaults."""

LOGOUT = ("invalid_jwt_logout", "logout_redirect_url")


def guard_foreign_hub(directory: Path) -> None:
    """Install the guard of the hub's handlers from a directory, unless the site's package brings it."""
    if not find_spec("bricsauthenticator.hub_guard"):
        sys.path.append(str(directory))
        import_module("hub_guard.hub_handlers").install_in_starting_hub()


def execute_settings(directory: Path, names: Mapping[str, Any], authenticator: type) -> None:
    """Execute the site's own settings, and write a line for each option of a logout that no login uses.

    Args:
        directory: The directory of the files, in the order of their names.
        names: The names that they can use, as in JupyterHub's own configuration.
        authenticator: The class of the token login.
    """
    for name, value in ORIGINAL.items():
        os.environ.setdefault(name, value)
    config = names["c"]
    before = dict(config.BricsAuthenticator)
    for path in sorted(directory.glob("*.py")):
        exec(compile(path.read_bytes(), str(path), "exec"), {**names, "__file__": str(path)})  # noqa: S102 - as JupyterHub
    for name in LOGOUT:
        is_used = config.JupyterHub.authenticator_class in ("brics", authenticator) and hasattr(authenticator, name)
        if config.BricsAuthenticator.get(name) != before.get(name) and not is_used:
            reason = "users of this environment log in without a token, or its authenticator lacks the option"
            sys.stderr.write(f"hub_config.d: c.BricsAuthenticator.{name} has no effect: {reason}\n")
