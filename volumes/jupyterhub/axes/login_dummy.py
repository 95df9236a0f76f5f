"""Login for development: a form, one password, and the accounts of DEPLOY_CONFIG_DEV_USERS."""

import os

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from jupyterhub.handlers import BaseHandler

c = get_config()

PORTAL = "brics"
ACCOUNTS = os.environ["DEPLOY_CONFIG_DEV_USERS"].split()
ADMINS = os.environ["DEPLOY_CONFIG_DEV_ADMINS"].split()


def projects_of(user: str) -> dict[str, dict[str, str]]:
    """What BricsAuthenticator would hand to the spawner for this user, from the accounts <USER>.<PROJECT>."""
    accounts = [account.partition(".") for account in ACCOUNTS]
    return {
        f"{project}.{PORTAL}": {"name": f"Project {project}", "username": f"{name}.{project}"}
        for name, _, project in accounts
        if name == user
    }


class DummyLogin(SharedPasswordAuthenticator):
    """Whoever knows the password is a developer: of the name typed if there is one, else the first."""

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> dict[str, object] | None:
        """Check the password; the user is one of DEPLOY_CONFIG_DEV_USERS or of DEPLOY_CONFIG_DEV_ADMINS."""
        # The comparison with the password takes ASCII only, and would end in an error of the server.
        if not data["password"].isascii() or await super().authenticate(handler, data) is None:
            return None
        users = [account.partition(".")[0] for account in ACCOUNTS]
        typed = data["username"].strip().lower()
        user = typed if typed in users or typed in ADMINS else users[0]
        return {"name": user, "admin": user in ADMINS, "auth_state": projects_of(user)}


c.JupyterHub.authenticator_class = DummyLogin
c.SharedPasswordAuthenticator.user_password = os.environ["DEPLOY_CONFIG_DUMMYAUTH_PASSWORD"]
c.Authenticator.allow_all = True
