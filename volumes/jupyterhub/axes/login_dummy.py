"""Login for development: a form, one password, and the accounts of DEPLOY_CONFIG_DEV_USERS."""

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
    """What BricsAuthenticator would hand to the spawner for this user, from the accounts <USER>.<PROJECT>."""
    accounts = [account.partition(".") for account in ACCOUNTS]
    return {
        f"{project}.{PORTAL}": {"name": f"Project {project}", "username": f"{name}.{project}"}
        for name, _, project in accounts
        if name == user
    }


def address_of(handler: BaseHandler) -> str:
    """Where a request comes from, as the proxy has seen it; what a browser says of itself does not count."""
    peer: str = handler.request.connection.context.address[0]
    if peer != PROXY:
        return peer
    return str(handler.request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip())


class WrongPasswords:
    """How many wrong passwords an address may try: ten at once, then one a second."""

    def __init__(self) -> None:
        self._paid_until: dict[str, float] = {}  # each wrong one costs a second, and ten may be owed

    def owed(self, address: str) -> bool:
        """Whether the address has to wait before it may try again."""
        return self._paid_until.get(address, 0) > time.monotonic() + (WRONG_AT_ONCE - 1) * WRONG_EVERY_S

    def count(self, address: str) -> None:
        """Count one more, and forget the addresses that have waited long enough."""
        now = time.monotonic()
        self._paid_until = {each: until for each, until in self._paid_until.items() if until > now}
        self._paid_until[address] = self._paid_until.get(address, now) + WRONG_EVERY_S


class DummyLogin(SharedPasswordAuthenticator):
    """Whoever knows the password is a developer: of the name typed if there is one, else the first."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.wrong_passwords = WrongPasswords()

    async def authenticate(self, handler: BaseHandler, data: dict[str, str]) -> dict[str, object] | None:
        """Check the password; the user is one of DEPLOY_CONFIG_DEV_USERS or of DEPLOY_CONFIG_DEV_ADMINS."""
        if not {"username", "password"} <= data.keys():
            raise HTTPError(400, "The form has a username and a password.")
        # JupyterHub would end in an error of the server: no header can say such an address.
        if not handler.get_argument("next", "").isprintable():
            raise HTTPError(400, "The address to go on to is none.")
        address = address_of(handler)
        if self.wrong_passwords.owed(address):
            raise HTTPError(429, "Too many wrong passwords. Try again in a moment.")
        # The comparison with the password takes ASCII only, and would end in an error of the server.
        if not data["password"].isascii() or await super().authenticate(handler, data) is None:
            self.wrong_passwords.count(address)
            return None
        users = [account.partition(".")[0] for account in ACCOUNTS]
        typed = data["username"].strip().lower()
        user = typed if typed in users or typed in ADMINS else users[0]
        return {"name": user, "admin": user in ADMINS, "auth_state": projects_of(user)}


c.JupyterHub.authenticator_class = DummyLogin
c.SharedPasswordAuthenticator.user_password = os.environ["DEPLOY_CONFIG_DUMMYAUTH_PASSWORD"]
c.Authenticator.allow_all = True
