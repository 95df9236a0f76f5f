"""The settings of BricsAuthenticator, which a site sets in its configuration."""

from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, Float, HasTraits, List, TraitError, Unicode, validate

from bricsauthenticator import issuer_urls


class LoginSettings(HasTraits):
    """Traits, mixed into an Authenticator."""

    oidc_server = Unicode(help="URL of the issuer of the tokens, as in their `iss` claim.").tag(config=True)

    brics_platform = Unicode(help="Name of this platform among the resources of a project.").tag(config=True)

    jwt_audience = Unicode(
        help="The audience that tokens must name. A token for others, too, must name it as `azp`."
    ).tag(config=True)

    jwks_origins = List(
        Unicode(),
        help="""Origins, besides the issuer's own, from which its keys may be fetched, such as `https://keys.example.org`.

        For issuers whose `jwks_uri` is on another host. Only https, and no loopback or link-local address.
        """,
    ).tag(config=True)

    logout_redirect_url = Unicode(
        help="""The page after a logout, which ends the front door's own session.

        A path on this server, or an http or https URL.
        """
    ).tag(config=True)

    invalid_jwt_logout = Bool(
        False,  # noqa: FBT003
        help="""Whether a login with an expired or invalid token ends the sessions behind it.

        The hub ends the browser's session and redirects to `logout_redirect_url`. When the front door sends another bad
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

    oidc_timeout = Float(
        3.0, min=0.1, help="Time limit of fetching the issuer's keys, discovery included, in seconds."
    ).tag(config=True)

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

    @validate("oidc_server")
    def _validate_oidc_server(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        server = str(proposal["value"])
        if not server:
            return server
        try:
            issuer_urls.origin_of(server)
        except issuer_urls.AddressError as error:
            raise TraitError(f"BricsAuthenticator.oidc_server must be an http or https URL: {error}.") from None
        if urlsplit(server).query or urlsplit(server).fragment:
            raise TraitError("BricsAuthenticator.oidc_server must be an http or https URL without a query.")
        return server

    @validate("jwks_origins")
    def _validate_jwks_origins(self, proposal: Any) -> list[str]:  # noqa: ANN401 - a traitlets bunch
        try:
            return [issuer_urls.check_allowed_origin(url) for url in proposal["value"]]
        except issuer_urls.AddressError as error:
            raise TraitError(
                f"BricsAuthenticator.jwks_origins must list origins such as https://keys.example.org: {error}."
            ) from None

    @validate("logout_redirect_url")
    def _validate_logout_redirect_url(self, proposal: Any) -> str:  # noqa: ANN401 - a traitlets bunch
        target = str(proposal["value"])
        url = urlsplit(target)
        is_path = not url.scheme and not url.netloc and target.startswith("/") and not target.startswith("/\\")
        if target and not is_path and (url.scheme not in ("http", "https") or not url.hostname):
            raise TraitError("BricsAuthenticator.logout_redirect_url must be a path or an http or https URL.")
        return target
