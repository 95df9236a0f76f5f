"""Login with the signed token that the front door puts into a request header."""

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.auth import Authenticator  # type: ignore[import-untyped]
from traitlets import Bool, Float, TraitError, Unicode, default, validate

from bricsauthenticator import projects, tokens
from bricsauthenticator.hub_handlers import own_handlers
from bricsauthenticator.keys import KeyStore
from bricsauthenticator.login_errors import BadTokenError, LoginHTTPError, LoginRefusedError, NotPermittedError
from bricsauthenticator.login_handlers import BricsLoginHandler, BricsLogoutHandler
from bricsauthenticator.project_confirmations import ProjectConfirmations
from bricsauthenticator.request_log import TOKEN_HEADER, without_token

# The shipped tests search the hub's log for this line.
REFUSED_LOG = "Login refused with %s: %s"

NOT_SIGNED_IN = "You reach this JupyterHub by signing in through the portal."

Request = Any  # a JupyterHub request handler; JupyterHub is not annotated


class BricsAuthenticator(Authenticator):  # type: ignore[misc]
    """Authenticates the user named by a JWT in the header `X-Auth-Id-Token`.

    The projects that the token lists for this platform become the auth_state:
    `{"PROJECT.PORTAL": {"name": ..., "username": "USER.PROJECT"}}`.
    """

    auto_login = Bool(True, help="There is no login form; the token is in the request.").tag(config=True)  # noqa: FBT003

    oidc_server = Unicode(help="URL of the issuer of the tokens, as in their `iss` claim.").tag(config=True)

    brics_platform = Unicode(help="Name of this platform among the resources of a project.").tag(config=True)

    jwt_audience = Unicode(help="The audience that tokens must name, and no other.").tag(config=True)

    logout_redirect_url = Unicode(
        help="""The page after a logout, which ends the front door's own session.

        A path on this server, or an http or https URL.
        """
    ).tag(config=True)

    invalid_jwt_logout = Bool(
        False,  # noqa: FBT003
        help="""Whether a login with an expired or invalid token ends the sessions behind it.

        The hub ends its own session and redirects to `logout_redirect_url`. When the front door sends another bad
        token within five minutes, the user gets the error page instead.
        """,
    ).tag(config=True)

    support_contact = Unicode(
        "the operators of this platform", help="Contact for users who may not log in, as the end of a sentence."
    ).tag(config=True)

    jwt_leeway = Float(5.0, min=0, help="Allowed difference from the issuer's clock, in seconds.").tag(config=True)

    jwt_max_lifetime = Float(
        86400.0, min=1, help="Maximum seconds between a token's `iat` and `exp`; other tokens are refused."
    ).tag(config=True)

    oidc_timeout = Float(3.0, min=0.1, help="Time limit of each request to the issuer, in seconds.").tag(config=True)

    keys_refresh_interval = Float(
        30.0, min=1, help="Minimum seconds between two fetches of the issuer's keys, once some are known."
    ).tag(config=True)

    keys_max_age = Float(
        600.0,
        min=1,
        help="Age in seconds at which the issuer's keys are fetched again, so that a withdrawn key is refused.",
    ).tag(config=True)

    projects_max_age = Float(
        43200.0,
        min=1,
        help="""Seconds for which a user's projects are valid without a valid token, by default half a day.

        Each login confirms them. So does the token of a request through the front door, which is read again after
        `auth_refresh_age` and before each spawn. After this time without a confirmation, the user must log in before
        the next spawn, even if a token of the REST API or an administrator requests it. Running servers keep running.
        A restart of the hub restarts the time.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        super().__init__(**kwargs)
        self._keys: KeyStore | None = None
        self.confirmations = ProjectConfirmations()

    @default("refresh_pre_spawn")
    def _refresh_pre_spawn_default(self) -> bool:
        return True

    @default("allow_all")
    def _allow_all_default(self) -> bool:
        # A project on this platform is the permission, unless the site lists its users or has its own check, which
        # JupyterHub skips where all users are allowed.
        own_check = type(self).check_allowed is not Authenticator.check_allowed
        return not (self.allowed_users or self.allow_existing_users or own_check)

    @validate("oidc_server")
    def _validate_oidc_server(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        server = str(proposal["value"])
        url = urlsplit(server)
        if server and (url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment):
            raise TraitError("BricsAuthenticator.oidc_server must be an http or https URL without a query.")
        return server

    @validate("logout_redirect_url")
    def _validate_logout_redirect_url(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        target = str(proposal["value"])
        url = urlsplit(target)
        is_path = not url.scheme and not url.netloc and target.startswith("/") and not target.startswith("/\\")
        if target and not is_path and (url.scheme not in ("http", "https") or not url.hostname):
            raise TraitError("BricsAuthenticator.logout_redirect_url must be a path or an http or https URL.")
        return target

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:  # noqa: ANN401
        """Return the handlers of login, logout and servers, and keep tokens out of the hub's log."""
        app.tornado_settings["log_function"] = without_token(app.tornado_settings["log_function"])
        return [(r"/login", BricsLoginHandler), (r"/logout", BricsLogoutHandler), *own_handlers()]

    async def authenticate(self, handler: Request, _data: object = None) -> dict[str, Any]:
        """Return the user and the projects in the request's token.

        Raises:
            LoginHTTPError: 401 for a bad token, 403 for a user who may not use this platform, 503 when the issuer's
                keys cannot be fetched.
        """
        try:
            return await self._login(handler.request.headers.get_list(TOKEN_HEADER))
        except LoginRefusedError as refusal:
            self.log.warning(REFUSED_LOG, refusal.status, refusal.detail)
            raise LoginHTTPError(refusal) from None

    async def refresh_user(self, user: Any, handler: Request = None) -> bool | dict[str, Any]:  # noqa: ANN401
        """Refresh the user's projects.

        JupyterHub calls this from time to time and before each spawn.

        Returns:
            The result of a login when the request has a valid token of the user; True when the projects were confirmed
            within `projects_max_age`; False when the user must log in again.
        """
        if handler is None or handler.get_token() is not None or not _is_own_request(handler, user):
            # This request cannot log the user in, and a server with a token of the hub must never be cut off for that.
            # The spawner refuses to start another server.
            return True
        # JupyterHub 6.1 reads this attribute when the user must log in again, but does not set it.
        handler._token_authenticated = False  # noqa: SLF001
        if TOKEN_HEADER in handler.request.headers:
            return await self._reload(user, handler)
        return self.has_confirmed(user.name)

    def has_confirmed(self, user: str) -> bool:
        """Whether a token has confirmed this user's projects within `projects_max_age`."""
        return self.confirmations.age_s(user) < self.projects_max_age

    async def _reload(self, user: Any, handler: Request) -> bool | dict[str, Any]:  # noqa: ANN401
        try:
            model: dict[str, Any] | None = await self.get_authenticated_user(handler, None)
        except LoginHTTPError as error:
            # A token that is bad or cannot be checked says nothing new about the user.
            return not isinstance(error.refusal, NotPermittedError) and self.has_confirmed(user.name)
        if model is None or model["name"] != user.name:
            return False
        self.confirmations.confirm(user.name)
        return model

    async def _login(self, presented: list[str]) -> dict[str, Any]:
        if len(presented) != 1:
            raise BadTokenError(NOT_SIGNED_IN, detail="not exactly one token in the request")
        token = presented[0]
        issuer, key = await self._key_store().find(tokens.read_header(token))
        claims = tokens.validate(token, key, self._policy(issuer))
        user = projects.check_user(claims["short_name"])
        usable = projects.usable_projects(claims["projects"], user=user, platform=self.brics_platform)
        return {"name": user, "auth_state": usable}

    def _policy(self, issuer: str) -> tokens.Policy:
        return tokens.Policy(
            issuer=issuer,
            audience=self.jwt_audience,
            leeway_s=self.jwt_leeway,
            max_lifetime_s=self.jwt_max_lifetime,
        )

    def _key_store(self) -> KeyStore:
        if self._keys is None or self._keys.server != self.oidc_server:
            self._keys = KeyStore(
                server=self.oidc_server,
                timeout_s=self.oidc_timeout,
                refresh_interval_s=self.keys_refresh_interval,
                max_age_s=self.keys_max_age,
                log=self.log,
            )
        return self._keys


def _is_own_request(handler: Request, user: Any) -> bool:  # noqa: ANN401
    """Whether the user sent the request, and not an administrator about the user."""
    try:
        return bool(handler.current_user is user)
    except RuntimeError:  # JupyterHub 5 refreshes the sender of a request before it sets current_user
        return True
