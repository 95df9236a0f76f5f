"""Login with the signed token that the front door puts into a request header."""

from typing import Any

from jupyterhub.auth import Authenticator  # type: ignore[import-untyped]
from traitlets import Bool, default

from bricsauthenticator import projects, token_order, tokens
from bricsauthenticator.hub_guard import hub_handlers
from bricsauthenticator.keys import KeyStore
from bricsauthenticator.login_errors import BadTokenError, LoginHTTPError, LoginRefusedError, NotPermittedError
from bricsauthenticator.login_handlers import BricsLoginHandler, BricsLogoutHandler
from bricsauthenticator.login_settings import LoginSettings
from bricsauthenticator.project_confirmations import ProjectConfirmations
from bricsauthenticator.request_log import TOKEN_HEADER, without_token

# The shipped tests search the hub's log for this line.
REFUSED_LOG = "Login refused with %s: %s"

NOT_SIGNED_IN = "You reach this JupyterHub by signing in through the portal."

Request = Any  # a JupyterHub request handler; JupyterHub is not annotated


class BricsAuthenticator(LoginSettings, Authenticator):  # type: ignore[misc]
    """Authenticates the user named by a JWT in the header `X-Auth-Id-Token`.

    The projects that the token lists for this platform become the auth_state:
    `{"PROJECT.PORTAL": {"name": ..., "username": "USER.PROJECT"}}`.
    """

    auto_login = Bool(True, help="There is no login form; the token is in the request.").tag(config=True)  # noqa: FBT003

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

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:  # noqa: ANN401
        """Return the handlers of login, logout and servers, and keep tokens out of the hub's log."""
        hub_handlers.install(app)
        app.tornado_settings["log_function"] = without_token(app.tornado_settings["log_function"])
        return [(r"/login", BricsLoginHandler), (r"/logout", BricsLogoutHandler), *hub_handlers.own_handlers()]

    async def authenticate(self, handler: Request, _data: object = None) -> dict[str, Any]:
        """Return the user and the projects in the request's token.

        Raises:
            LoginHTTPError: 401 for a bad token, 403 for a user who may not use this platform, 503 when the issuer's
                keys cannot be fetched.
        """
        try:
            model = await self._login(handler)
        except LoginRefusedError as refusal:
            self.log.warning(REFUSED_LOG, refusal.status, refusal.detail)
            raise LoginHTTPError(refusal) from None
        # With manage_groups JupyterHub requires an answer about groups. None leaves them as they are.
        return model | ({"groups": None} if self.manage_groups else {})

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
        """Whether a token has confirmed this user's projects within `projects_max_age`.

        A user whom the site blocks has none.
        """
        return user not in self.blocked_users and self.confirmations.age_s(user) < self.projects_max_age

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

    async def _login(self, handler: Request) -> dict[str, Any]:
        presented = handler.request.headers.get_list(TOKEN_HEADER)
        if len(presented) != 1:
            raise BadTokenError(NOT_SIGNED_IN, detail="not exactly one token in the request")
        token = presented[0]
        issuer, key = await self._key_store().find(tokens.read_header(token))
        claims = tokens.validate(token, key, self._policy(issuer))
        user = projects.check_user(claims["short_name"])
        known = handler.find_user(user) if self.enable_auth_state else None
        if known is not None and token_order.is_outdated(handler.db, user, claims["iat"]):
            return {"name": user, "auth_state": await _known_projects(known)}
        try:
            found = projects.usable_projects(claims["projects"], user=user, platform=self.brics_platform)
        except NotPermittedError:
            await self._deny(handler, user, claims["iat"])
            raise
        for problem in found.skipped:
            self.log.warning("Skipped a project of %s: %s", user, problem)
        token_order.record(handler.db, user, claims["iat"])
        return {"name": user, "auth_state": found.usable}

    async def _deny(self, handler: Request, user: str, issued_at: float) -> None:
        """Forget the user's projects, which the issuer has just denied."""
        self.confirmations.deny(user)
        token_order.record(handler.db, user, issued_at)
        known = handler.find_user(user)
        if known is not None and self.enable_auth_state:
            await known.save_auth_state({})

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
                allowed_origins=frozenset(self.jwks_origins),
                log=self.log,
            )
        return self._keys


async def _known_projects(user: Any) -> dict[str, Any]:  # noqa: ANN401 - JupyterHub is not annotated
    """Return the projects that a later token has confirmed.

    Raises:
        NotPermittedError: The later token has denied all projects.
    """
    known: dict[str, Any] = await user.get_auth_state() or {}
    if not known:
        raise NotPermittedError("You have no project on this platform.", detail="denied by a later token")
    return known


def _is_own_request(handler: Request, user: Any) -> bool:  # noqa: ANN401
    """Whether the user sent the request, and not an administrator about the user."""
    try:
        return bool(handler.current_user is user)
    except RuntimeError:  # JupyterHub 5 refreshes the sender of a request before it sets current_user
        return True
