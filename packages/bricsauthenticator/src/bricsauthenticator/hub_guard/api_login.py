"""No login by a request to the REST API that a page of another user can send.

JupyterHub creates an API token for a request without a login if the authenticator accepts the request. A front door
adds its token to every request, also to those of scripts, which carry no XSRF token.
"""

from typing import Any

from tornado import web

LOGIN_HEADER = "X-Auth-Id-Token"


class LoginByBody:
    """Mixin that lets the authenticator judge a name and a password in the body, and nothing else."""

    def authenticate(self: Any, data: object) -> Any:  # noqa: ANN401 - a request handler
        """Authenticate by the body.

        Raises:
            HTTPError: 403, because the body has no login, or a front door has added one.
        """
        if not isinstance(data, dict) or LOGIN_HEADER in self.request.headers:
            raise web.HTTPError(403)
        return super().authenticate(data)  # type: ignore[misc]
