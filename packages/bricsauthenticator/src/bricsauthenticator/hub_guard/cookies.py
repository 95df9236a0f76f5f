"""The attributes of the hub's cookies."""

from typing import Any


class ProtectedCookies:
    """Mixin that protects every cookie that a handler sets.

    Scripts cannot read it, requests from pages of other sites do not carry it, and a browser that has used https does
    not send it by http. tornado takes the protocol from X-Forwarded-Proto, which the proxy passes on.
    """

    def set_cookie(self: Any, name: str, value: Any, *args: Any, **attributes: Any) -> None:  # noqa: ANN401
        """Set a cookie."""
        attributes["httponly"] = True
        attributes["samesite"] = attributes.get("samesite") or "Lax"
        attributes["secure"] = bool(attributes.get("secure")) or self.request.protocol == "https"
        super().set_cookie(name, value, *args, **attributes)  # type: ignore[misc]
