"""Log in to a hub, and start servers as a user who has logged in."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote, urljoin, urlsplit

import requests

from hubpod.client.browser import OK_BELOW, Browser, refusal
from hubpod.client.errors import LoginRefused, SpawnRefused
from hubpod.client.forms import Form, parse_forms
from hubpod.client.pages import refusal_of_page
from hubpod.client.progress import ProgressEvent
from hubpod.client.project import PROJECT_FIELD, match_project
from hubpod.client.server import FindJob, Server

SPAWN_TIMEOUT_S = 180.0
TOKEN_HEADER = "X-Auth-Id-Token"  # noqa: S105 - the header in which the front door passes a login token on


class HubClient:
    """A hub before login.

    Args:
        url: The hub's public address with its base path, such as http://127.0.0.1:8000/jupyter.
        find_job: Returns the id of a server's job as the hub has it; see Server.

    Attributes:
        sessions: The sessions of successful logins, in order.
    """

    def __init__(self, url: str, find_job: FindJob | None = None) -> None:
        self.url = url.rstrip("/")
        self._find_job = find_job
        self.sessions: tuple[Session, ...] = ()
        parts = urlsplit(self.url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        # The hub's default page may start a server. The home page does not.
        self._login_url = f"{self.url}/hub/login?next={quote(f'{parts.path}/hub/home', safe='')}"

    def __repr__(self) -> str:
        return f"HubClient({self.url!r})"

    def login(self, username: str, password: str) -> "Session":
        """Log in with the form of the login page.

        Raises:
            LoginRefused: The hub refused the name or the password.
        """
        browser = Browser(self._origin)
        page = browser.page(self._login_url)
        form = next((form for form in parse_forms(page.text) if form.field("password")), None)
        if form is None or page.status_code >= OK_BELOW:
            raise refusal("opening the login form", page, LoginRefused)
        values = {"username": username, "password": password, "_xsrf": browser.xsrf_token(page.url)}
        response = browser.submit(urljoin(page.url, form.action), form.fill(values))
        return self._session(browser, response, f"the login of {username}")

    def login_with_headers(self, headers: Mapping[str, str]) -> "Session":
        """Log in with headers from an ingress that has authenticated the user.

        The headers are sent for the login only.

        Raises:
            LoginRefused: The hub refused the headers.
        """
        browser = Browser(self._origin)
        response = browser.page(self._login_url, headers=headers)
        return self._session(browser, response, f"the login with {', '.join(headers)}")

    def login_with_token(self, token: str) -> "Session":
        """Log in with a signed token, in the header that the ingress uses for it.

        Raises:
            LoginRefused: The hub refused the token.
        """
        return self.login_with_headers({TOKEN_HEADER: token})

    def _session(self, browser: Browser, response: requests.Response, what: str) -> "Session":
        if response.status_code >= OK_BELOW:
            raise refusal(what, response, LoginRefused)
        if not urlsplit(response.url).path.endswith("/hub/home"):
            sentence = refusal_of_page(response.text)
            raise LoginRefused(
                f"{what} ended at {urlsplit(response.url).path}: {sentence or 'not the home page'}",
                sentence=sentence,
                response=response,
            )
        model = browser.api_object("GET", f"{self.url}/hub/api/user")
        session = Session(browser, self.url, user=str(model.get("name", "")), find_job=self._find_job)
        self.sessions += (session,)
        return session


class Session:
    """A session of a user who has logged in.

    Attributes:
        user: The user's name at the hub.
    """

    def __init__(self, browser: Browser, url: str, *, user: str, find_job: FindJob | None = None) -> None:
        self.user = user
        self._find_job = find_job
        self._browser = browser
        self._url = url
        self._servers: dict[str, Server] = {}

    def __repr__(self) -> str:
        return f"Session({self._url!r}, user={self.user!r})"

    @property
    def servers(self) -> Mapping[str, Server]:
        """The servers that this session has used, by name, whether they run or not."""
        return MappingProxyType(self._servers)

    def server(self, name: str = "") -> Server:
        """Return the user's server of that name, whether it runs or not.

        Repeated calls with a name return the same object.
        """
        if name not in self._servers:
            self._servers[name] = Server(self._browser, self._url, user=self.user, name=name, find_job=self._find_job)
        return self._servers[name]

    def spawn_form(self, server_name: str = "") -> Form:
        """Return the hub's form with the options for a server.

        Raises:
            SpawnRefused: The hub shows no form, because the server runs already or for the reason on the page.
        """
        url = self._spawn_url(server_name)
        response = self._browser.page(url, follow=False)
        if response.status_code >= OK_BELOW:
            raise refusal("opening the spawn form", response, SpawnRefused)
        form = next((form for form in parse_forms(response.text) if form.name == "spawn_form"), None)
        if form is None:
            path = urlsplit(response.headers.get("Location", url)).path
            reason = "the session has ended" if path.endswith("/hub/login") else "a server seems to run already"
            raise SpawnRefused(f"the hub shows no spawn form but leads to {path}: {reason}", response=response)
        return form

    def submit(
        self, options: Mapping[str, str] | None = None, server_name: str = "", *, project: str | None = None
    ) -> Server:
        """Submit the spawn form with these options, and with its defaults for all other fields.

        The returned server is starting.

        Args:
            options: Values of fields, sent unchanged whether the form offers them or not.
            server_name: Name of the server; empty for the default server.
            project: One of the form's projects, with or without its portal; overrides the one in the options.

        Raises:
            SpawnRefused: The hub refused the options, or the spawner failed within its first second.
            HubError: The form does not offer the project, so nothing was submitted.
        """
        form = self.spawn_form(server_name)
        chosen = dict(options or {})
        if project is not None:
            chosen[PROJECT_FIELD] = match_project(project, form)
        url = urljoin(self._spawn_url(server_name), form.action)
        response = self._browser.submit(url, form.fill(chosen), multipart=form.multipart, follow=False)
        if response.status_code >= OK_BELOW:
            raise refusal("the spawn form", response, SpawnRefused)
        if not response.is_redirect:  # the hub reports some errors of a spawner with status 200
            sentence = refusal_of_page(response.text)
            raise SpawnRefused(f"the spawn form was refused: {sentence}", sentence=sentence, response=response)
        path = urlsplit(response.headers["Location"]).path
        if "/hub/spawn-pending/" not in path:
            raise SpawnRefused(f"the spawn form led to {path}, not to a server", response=response)
        server = self.server(server_name)
        server.forget_start()
        return server

    def spawn(
        self,
        options: Mapping[str, str] | None = None,
        server_name: str = "",
        *,
        project: str | None = None,
        deadline_s: float = SPAWN_TIMEOUT_S,
        on_event: Callable[[ProgressEvent], None] = lambda _: None,
    ) -> Server:
        """Submit the spawn form, wait until the server is ready, and report each progress event.

        The arguments are those of submit. `on_event` is called with each progress event.

        Raises:
            SpawnRefused: The hub refused the options.
            HubError: The form does not offer the project.
            SpawnFailed: The server was submitted but will not start.
            HubTimeoutError: The server was not ready within `deadline_s` seconds.
        """
        server = self.submit(options, server_name, project=project)
        for event in server.progress(deadline_s):
            on_event(event)
        return server

    def logout(self) -> None:
        """Log out and drop all cookies."""
        response = self._browser.page(f"{self._url}/hub/logout", follow=False)
        if response.status_code >= OK_BELOW:
            raise refusal("the logout", response)
        self._browser.forget()

    def _spawn_url(self, server_name: str) -> str:
        if not server_name:
            return f"{self._url}/hub/spawn"
        return f"{self._url}/hub/spawn/{quote(self.user)}/{quote(server_name)}"
