"""The hub of a stack, as people and as an administrator see it."""

from collections.abc import Callable, Sequence
from typing import Any

import requests

from hubpod.client import HubClient, Session
from hubpod.client.browser import direct_session
from hubpod_harness.issuer import Issuer
from hubpod_harness.users import User

API_TIMEOUT_S = 30.0
GONE = requests.codes.not_found


class Hub:
    """One hub.

    Args:
        url: Its public address with its base path.
        observer: Token of the service through which the harness asks its API.
        log: The hub's log so far.
        issuer: Who mints the tokens that log people in; None where a form does.
        password: The password of that form.
    """

    def __init__(
        self, url: str, *, observer: str, log: Callable[[], str], issuer: Issuer | None, password: str
    ) -> None:
        self.client = HubClient(url)
        self.log = log
        self.password = password
        self._issuer = issuer
        self._observer = observer

    def __repr__(self) -> str:
        return f"Hub({self.url!r})"

    @property
    def url(self) -> str:
        """The public address with the base path, without a slash at its end."""
        return self.client.url

    def login(self, token: str) -> Session:
        """Log in with a token in the header, as behind the front door.

        Raises:
            LoginRefused: The hub did not accept it.
        """
        return self.client.login_with_token(token)

    def login_form(self, username: str, password: str) -> Session:
        """Log in with the form of the login page.

        Raises:
            LoginRefused: The hub did not accept the name or the password.
        """
        return self.client.login(username, password)

    def login_as(self, user: User, projects: Sequence[str] | None = None) -> Session:
        """Log a leased user in, in whichever way this hub has; only a token can leave out some of the projects."""
        if self._issuer:
            return self.login(self._issuer.mint(user, projects))
        return self.login_form(user.name, self.password)

    def admin(
        self, method: str, path: str, json: object = None, *, timeout_s: float = API_TIMEOUT_S
    ) -> requests.Response:
        """Ask the hub's REST API as an administrator; the path is what follows ``/hub/api/``. Not checked."""
        with direct_session() as session:
            return session.request(
                method,
                f"{self.url}/hub/api/{path}",
                json=json,
                headers={"Authorization": f"token {self._observer}"},
                timeout=timeout_s,
            )

    def servers_of(self, name: str) -> dict[str, dict[str, Any]]:
        """The servers that the hub has of a user, by their names; empty when it does not know the user."""
        response = self.admin("GET", f"users/{name}")
        if response.status_code == GONE:
            return {}
        response.raise_for_status()
        return dict(response.json()["servers"])
