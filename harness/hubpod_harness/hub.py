"""The hub of a stack: logins of users, and its REST API."""

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
        observer: Token with which the harness queries the API.
        log: Returns the hub's log so far.
        issuer: Mints login tokens; None when the hub has a login form.
        password: The password of the login form.
    """

    def __init__(
        self, url: str, *, observer: str, log: Callable[[], str], issuer: Issuer | None, password: str
    ) -> None:
        self.client = HubClient(url, self.find_job)
        self.log = log
        self.password = password
        self._issuer = issuer
        self._observer = observer

    def __repr__(self) -> str:
        return f"Hub({self.url!r})"

    @property
    def url(self) -> str:
        """Return the public address with the base path, without a trailing slash."""
        return self.client.url

    def login(self, token: str) -> Session:
        """Log in with a token in the header, as the front door sends it.

        Raises:
            LoginRefused: The hub rejects the token.
        """
        return self.client.login_with_token(token)

    def login_form(self, username: str, password: str) -> Session:
        """Log in with the form of the login page.

        Raises:
            LoginRefused: The hub rejects the name or the password.
        """
        return self.client.login(username, password)

    def login_as(self, user: User, projects: Sequence[str] | None = None) -> Session:
        """Log in a leased user with the hub's login method. Only tokens support `projects`."""
        if self._issuer:
            return self.login(self._issuer.mint(user, projects))
        return self.login_form(user.name, self.password)

    def admin(
        self, method: str, path: str, json: object = None, *, timeout_s: float = API_TIMEOUT_S
    ) -> requests.Response:
        """Send a request to ``/hub/api/<path>`` as an administrator, without a status check."""
        with direct_session() as session:
            return session.request(
                method,
                f"{self.url}/hub/api/{path}",
                json=json,
                headers={"Authorization": f"token {self._observer}"},
                timeout=timeout_s,
            )

    def find_job(self, user: str, server: str) -> str:
        """Return the id of the job of a user's server, from the state that every batchspawner saves."""
        state = self.servers_of(user).get(server, {}).get("state") or {}
        return str(state.get("job_id", ""))

    def servers_of(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the user's servers by name, or none when the hub does not know the user."""
        response = self.admin("GET", f"users/{name}")
        if response.status_code == GONE:
            return {}
        response.raise_for_status()
        return dict(response.json()["servers"])
