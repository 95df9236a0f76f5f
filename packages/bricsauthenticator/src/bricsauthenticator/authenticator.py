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
from bricsauthenticator.project_confirmations import Confirmations
from bricsauthenticator.request_log import TOKEN_HEADER, without_token

NOT_SIGNED_IN = "You reach this JupyterHub by signing in through the portal."

Request = Any  # a JupyterHub request handler; JupyterHub is not annotated


class BricsAuthenticator(Authenticator):  # type: ignore[misc]
    """Authenticates the person named by a JWT in the header `X-Auth-Id-Token`.

    The projects that the token lists for this platform become the auth_state:
    `{"PROJECT.PORTAL": {"name": ..., "username": "USER.PROJECT"}}`.
    """

    auto_login = Bool(True, help="There is no login form; the token is in the request.").tag(config=True)  # noqa: FBT003

    oidc_server = Unicode(help="URL of the issuer of the tokens, as in their `iss` claim.").tag(config=True)

    brics_platform = Unicode(help="Name of this platform among the resources of a project.").tag(config=True)

    jwt_audience = Unicode(help="The audience that tokens must name, exactly.").tag(config=True)

    logout_redirect_url = Unicode(
        help="""Where a person goes who has logged out: the page that ends the front door's own session.

        A path on this server, or an http or https URL.
        """
    ).tag(config=True)

    invalid_jwt_logout = Bool(
        False,  # noqa: FBT003
        help="""Whether a login with a token that is expired or invalid ends the sessions that it comes from.

        The hub's own session ends, and the person goes to `logout_redirect_url`. A front door that comes back with
        another bad token within five minutes gets the page that says what is wrong.
        """,
    ).tag(config=True)

    support_contact = Unicode(
        "the operators of this platform", help="Whom a person may ask who is not let in, as the end of a sentence."
    ).tag(config=True)

    jwt_leeway = Float(5.0, min=0, help="Seconds by which the issuer's clock may differ from ours.").tag(config=True)

    jwt_max_lifetime = Float(
        86400.0, min=1, help="Tokens that expire more than this many seconds after their `iat` are refused."
    ).tag(config=True)

    oidc_timeout = Float(3.0, min=0.1, help="Seconds that the issuer may take for each answer.").tag(config=True)

    keys_refresh_interval = Float(
        30.0, min=1, help="Seconds between two fetches of the issuer's keys at least, once some are known."
    ).tag(config=True)

    keys_max_age = Float(
        600.0,
        min=1,
        help="Seconds after which the issuer's keys are fetched again, so that a withdrawn one is refused.",
    ).tag(config=True)

    projects_max_age = Float(
        43200.0,
        min=1,
        help="""Seconds for which a person's projects are believed without a good token, by default half a day.

        Each login confirms them, and so does each request through the front door after `auth_refresh_age`, and before
        each spawn: they are taken from its token again. When nothing has confirmed them for this long, the person must
        log in before the next spawn, however it is asked for: a token of the REST API does not help, nor does an
        administrator. Servers that run are not touched. After a restart of the hub the time begins anew.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - as traitlets has it
        super().__init__(**kwargs)
        self._keys: KeyStore | None = None
        self.confirmations = Confirmations()

    @default("refresh_pre_spawn")
    def _refresh_pre_spawn_default(self) -> bool:
        return True

    @default("allow_all")
    def _allow_all_default(self) -> bool:
        # The token's project on this platform is the permission, unless the site names its users itself or decides by
        # a check of its own, which JupyterHub does not ask where all are allowed.
        own_check = type(self).check_allowed is not Authenticator.check_allowed
        return not (self.allowed_users or self.allow_existing_users or own_check)

    @validate("oidc_server")
    def _oidc_server_is_url(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        server = str(proposal["value"])
        url = urlsplit(server)
        if server and (url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment):
            raise TraitError("BricsAuthenticator.oidc_server must be an http or https URL without a query.")
        return server

    @validate("logout_redirect_url")
    def _logout_redirect_url_is_place(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        place = str(proposal["value"])
        url = urlsplit(place)
        is_path = not url.scheme and not url.netloc and place.startswith("/") and not place.startswith("/\\")
        if place and not is_path and (url.scheme not in ("http", "https") or not url.hostname):
            raise TraitError("BricsAuthenticator.logout_redirect_url must be a path or an http or https URL.")
        return place

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:  # noqa: ANN401
        """Replace JupyterHub's login page, and what comes after a logout; keep tokens out of its log."""
        app.tornado_settings["log_function"] = without_token(app.tornado_settings["log_function"])
        return [(r"/login", BricsLoginHandler), (r"/logout", BricsLogoutHandler), *own_handlers()]

    async def authenticate(self, handler: Request, _data: object = None) -> dict[str, Any]:
        """Return the person and their projects for the token in the request.

        Raises:
            LoginHTTPError: 401 for a bad token, 403 for a person who may not use this platform, 503 when the
                issuer's keys cannot be had.
        """
        try:
            return await self._login(handler.request.headers.get_list(TOKEN_HEADER))
        except LoginRefusedError as refusal:
            self.log.warning("Login refused with %s: %s", refusal.status, refusal.detail)
            raise LoginHTTPError(refusal) from None

    async def refresh_user(self, user: Any, handler: Request = None) -> bool | dict[str, Any]:  # noqa: ANN401
        """Return what is known of the person now: JupyterHub asks from time to time, and before a spawn.

        Returns:
            What a login would return, when the request has a good token of the person's; True, when the projects were
            confirmed within `projects_max_age`; False, when the person must log in again.
        """
        if handler is None or handler.get_token() is not None or not _is_asked_by(handler, user):
            # Nobody can log in by this request, and a server with a token of the hub's must never be cut off for that.
            # The spawner refuses to start another one.
            return True
        # JupyterHub 6.1 reads this when the person must log in again, and has not set it.
        handler._token_authenticated = False  # noqa: SLF001
        if TOKEN_HEADER in handler.request.headers:
            return await self._read_again(user, handler)
        return self.has_confirmed(user.name)

    def has_confirmed(self, user: str) -> bool:
        """Whether a token has confirmed this person's projects within `projects_max_age`."""
        return self.confirmations.age_s(user) < self.projects_max_age

    async def _read_again(self, user: Any, handler: Request) -> bool | dict[str, Any]:  # noqa: ANN401
        try:
            model: dict[str, Any] | None = await self.get_authenticated_user(handler, None)
        except LoginHTTPError as error:
            # A token that is bad, or cannot be checked now, says nothing new of the person.
            return not isinstance(error.refusal, NotPermittedError) and self.has_confirmed(user.name)
        if model is None or model["name"] != user.name:
            return False
        self.confirmations.note(user.name)
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


def _is_asked_by(handler: Request, user: Any) -> bool:  # noqa: ANN401
    """Whether the request is the person's own, and not that of an administrator about them."""
    try:
        return bool(handler.current_user is user)
    except RuntimeError:  # JupyterHub 5 asks about whoever sent the request before it has said who that is
        return True
