"""The handler of `/hub/logout`, which leaves no cookie of the user valid."""

from typing import Any

from jupyterhub import orm  # type: ignore[import-untyped]
from jupyterhub.handlers.login import LogoutHandler  # type: ignore[import-untyped]
from jupyterhub.utils import url_path_join  # type: ignore[import-untyped]


class EndSessions:
    """Mixin that ends the user's sessions in all browsers with a session.

    JupyterHub deletes the cookie in the browser only. A copy of it would stay valid for half a day.
    """

    def clear_login_cookie(self: Any, name: str | None = None) -> None:
        """Delete the cookie, and let the hub accept no copy of it."""
        user = self.get_current_user_cookie()
        super().clear_login_cookie(name)  # type: ignore[misc]
        if user is not None:
            user.orm_user.cookie_id = orm.new_token()
            self.db.commit()


class LogoutPageHandler(EndSessions, LogoutHandler):  # type: ignore[misc]
    """Logs the user out, in all browsers."""

    async def get(self) -> None:
        """Log out, unless another site or a part of a page sends the request."""
        if is_from_elsewhere(self.request.headers):
            self.redirect(url_path_join(self.hub.base_url, "home"))  # which has a button to log out
            return
        self.set_header("Clear-Site-Data", '"cache", "storage"')
        await super().get()


def is_from_elsewhere(headers: Any) -> bool:  # noqa: ANN401 - tornado's headers
    """Whether a browser reports that neither the user nor a page of this site opens the page (Fetch Metadata)."""
    site, mode = headers.get("Sec-Fetch-Site", "none"), headers.get("Sec-Fetch-Mode", "navigate")
    return site not in ("none", "same-origin") or mode != "navigate"
