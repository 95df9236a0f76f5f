"""Login for development: a form with one password for all users of DEPLOY_CONFIG_DEV_USERS."""

import os
import time

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from jupyterhub.handlers import BaseHandler
from tornado.web import HTTPError

c = get_config()

PORTAL = "brics"
ACCOUNTS = os.environ["DEPLOY_CONFIG_DEV_USERS"].split()
ADMINS = os.environ["DEPLOY_CONFIG_DEV_ADMINS"].split()

PROXY = "127.0.0.1"
WRONG_AT_ONCE = 10
WRONG_EVERY_S = 1.0


def projects_of(user: str) -> dict[str, dict[str, str]]:
    """Return a user's projects in the form of BricsAuthenticator, from the accounts <USER>.<PROJECT>."""
    accounts = [account.partition(".") for account in ACCOUNTS]
    return {
        f"{project}.{PORTAL}": {"name": f"Project {project}", "username": f"{name}.{project}"}
        for name, _, project in accounts
        if name == user
    }


def address_of(handler: BaseHandler) -> str:
    """Return the client's address as the proxy saw it; addresses that the client claims do not count."""
    peer: str = handler.request.connection.context.address[0]
    if peer != PROXY:
        return peer
    return str(handler.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip())


class WrongPasswords:
    """Limit the wrong passwords of an address: ten at once, then one per second."""

    def __init__(self) -> None:
        self._paid_until: dict[str, float] = {}  # a wrong password costs a second; debts of up to ten are allowed

    def owed(self, address: str) -> bool:
        """Whether the address has to wait before the next attempt."""
        return self._paid_until.get(address, 0) > time.monotonic() + (WRONG_AT_ONCE - 1) * WRONG_EVERY_S

    def count(self, address: str) -> None:
        """Count a wrong password, and forget addresses without a debt."""
        now = time.monotonic()
        self._paid_until = {each: until for each, until in self._paid_until.items() if until > now}
        self._paid_until[address] = self._paid_until.get(address, now) + WRONG_EVERY_S


class DummyLogin(SharedPasswordAuthenticator):
    """Log in any client that knows the password, as the user that it names or else the first one."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.wrong_passwords = WrongPasswords()

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> dict[str, object] | None:
        """Check the password, and choose a user of DEPLOY_CONFIG_DEV_USERS or DEPLOY_CONFIG_DEV_ADMINS."""
        if not {"username", "password"} <= data.keys():
            raise HTTPError(400, "The form has a username and a password.")
        # JupyterHub would answer 500, because a header cannot contain such a URL.
        if not handler.get_argument("next", "").isprintable():
            raise HTTPError(400, "Invalid redirect target.")
        address = address_of(handler)
        if self.wrong_passwords.owed(address):
            raise HTTPError(429, "Too many wrong passwords. Try again in a moment.")
        # The comparison accepts ASCII only; JupyterHub would answer 500 to anything else.
        if not data["password"].isascii() or await super().authenticate(handler, data) is None:
            self.wrong_passwords.count(address)
            return None
        users = [account.partition(".")[0] for account in ACCOUNTS]
        typed = data["username"].strip().lower()
        user = typed if typed in users or typed in ADMINS else users[0]
        groups = {"groups": None} if self.manage_groups else {}  # None leaves them as they are
        return {"name": user, "admin": user in ADMINS, "auth_state": projects_of(user), **groups}


c.JupyterHub.authenticator_class = DummyLogin
c.SharedPasswordAuthenticator.user_password = os.environ["DEPLOY_CONFIG_DUMMYAUTH_PASSWORD"]
c.Authenticator.allow_all = True
