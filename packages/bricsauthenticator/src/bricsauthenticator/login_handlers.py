"""The handlers of `/hub/login` and `/hub/logout` for a login by the token in the request."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, Template, TemplateNotFound
from jupyterhub.handlers.login import LoginHandler  # type: ignore[import-untyped]
from tornado.httputil import url_concat

from bricsauthenticator.hub_guard.logout import EndSessions, LogoutPageHandler
from bricsauthenticator.login_errors import BadTokenError, LoginHTTPError, NotPermittedError
from bricsauthenticator.metrics import ACCEPTED, count_login
from bricsauthenticator.request_log import TOKEN_HEADER

REFUSAL_PAGES = frozenset({"401.html", "403.html", "503.html"})
NOT_ALLOWED = "Your account is not among those that this JupyterHub lets in."

SIGNED_OUT_COOKIE = "jupyterhub-brics-signed-out"
SIGNED_OUT_S = 300


@cache
def refusal_page(environment: Environment) -> Template:
    """Return the template of a refused login's page.

    It extends JupyterHub's templates, including the site's changes to them.
    """
    text = files("bricsauthenticator").joinpath("templates/login_refused.html").read_text(encoding="utf-8")
    return environment.from_string(text)


class BricsLoginHandler(EndSessions, LoginHandler):  # type: ignore[misc]
    """`/hub/login`: the token in the request is the login, there is no form.

    Each request's token is checked, so that another user of the same browser does not stay logged in as the first.
    """

    SUPPORTED_METHODS = ("GET", "HEAD", "OPTIONS")

    @property
    def xsrf_token(self) -> bytes:
        """An empty token: there is no form to protect, and a refused login must not set a cookie."""
        return b""

    async def get(self) -> None:
        """Log in and redirect to the page that the user requested."""
        try:
            user = await self.login_user()
        except LoginHTTPError as error:
            count_login(error.refusal.outcome)
            if not self._leave_front_door(error):
                self._jupyterhub_user = None  # the page must not name the previous user
                raise
            return
        count_login(ACCEPTED)
        if self.get_cookie(SIGNED_OUT_COOKIE):
            self.clear_cookie(SIGNED_OUT_COOKIE, path=self.hub.base_url)
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))

    async def login_user(self, data: object = None) -> Any:  # noqa: ANN401 - JupyterHub is not annotated
        """Log the user in.

        Raises:
            LoginHTTPError: The token is not accepted, or JupyterHub's own lists and checks refuse the user.
        """
        user = await super().login_user(data)
        if user is None:
            raise LoginHTTPError(NotPermittedError(NOT_ALLOWED))
        self.authenticator.confirmations.confirm(user.name)
        return user

    def _validate_next_url(self, next_url: str) -> str:
        """Return the target of a redirect if it is valid, else an empty string.

        A target on another site is invalid, and so is one with characters that no header can contain.
        """
        allowed: str = super()._validate_next_url(next_url)
        return allowed if allowed.isprintable() else ""

    def _leave_front_door(self, error: LoginHTTPError) -> bool:
        """End the sessions behind a bad token if the site is configured so.

        Returns whether the response has been sent.

        A cookie limits this to one redirect in SIGNED_OUT_S, because a front door that sends another bad token would
        redirect the user endlessly.
        """
        sent = TOKEN_HEADER in self.request.headers
        # Other clients have no session, and nothing to leave.
        has_session = bool(self.get_cookie(self.hub.cookie_name))
        is_browser = has_session or self.request.headers.get("Sec-Fetch-Mode") == "navigate"
        is_bad = sent and isinstance(error.refusal, BadTokenError)
        if not (is_bad and is_browser and self.authenticator.invalid_jwt_logout):
            return False
        if has_session:
            self.clear_login_cookie()
        target = self.authenticator.logout_redirect_url
        if not target or self.get_cookie(SIGNED_OUT_COOKIE):
            return False
        lifetime = {"path": self.hub.base_url, "max_age": SIGNED_OUT_S, "expires_days": None, "samesite": "Lax"}
        self._set_cookie(SIGNED_OUT_COOKIE, "1", encrypted=False, **lifetime)
        self.redirect(target, permanent=False)
        return True

    # The page of a refused login

    def get_template(self, name: str, sync: bool = False) -> Template:  # noqa: FBT001, FBT002 - as JupyterHub has it
        """Return a template.

        For a refused login it is the site's page of that status, or else this package's page.
        """
        try:
            template: Template = super().get_template(name, sync)
        except TemplateNotFound:
            if name not in REFUSAL_PAGES:
                raise
            return refusal_page(self.settings["jinja2_env_sync" if sync else "jinja2_env"])
        return template

    @property
    def template_namespace(self) -> dict[str, Any]:
        """Add the addresses for another login and the contact to the variables of templates."""
        return {
            **super().template_namespace,
            "sign_in_url": self.authenticator.logout_redirect_url or self._same_login,
            "try_again_url": self._same_login,
            "support_contact": self.authenticator.support_contact,
        }

    @property
    def _same_login(self) -> str:
        """This login's address with its validated `next` and no other parameter of the request."""
        wanted = [value.decode("utf-8", "replace") for value in self.request.query_arguments.get("next", ())]
        allowed = self._validate_next_url(wanted[-1]) if wanted else ""
        return str(url_concat(self.request.path, {"next": allowed} if allowed else {}))


class BricsLogoutHandler(LogoutPageHandler):
    """`/hub/logout`: ends the hub's session and redirects to the logout of the front door."""

    async def handle_logout(self) -> None:
        """End the session of a user with an expired token, too.

        JupyterHub takes such a user for logged out.
        """
        if self.current_user is None:
            self.clear_login_cookie()

    async def render_logout_page(self) -> None:
        """Redirect to the front door's logout if there is one."""
        target = self.authenticator.logout_redirect_url
        if target:
            self.redirect(target, permanent=False)
        else:
            await super().render_logout_page()
