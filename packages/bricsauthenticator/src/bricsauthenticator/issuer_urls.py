"""The addresses from which keys of an issuer may be fetched: pure.

The discovery document names the address of the keys. Only the issuer's own origin is accepted, and the origins that the
site lists, because the hub can reach services that the author of the document cannot.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """The address is not acceptable; the message is the reason."""


def origin_of(url: str) -> str:
    """Return the origin of a plain http or https URL, as `scheme://host:port`.

    Raises:
        AddressError: The URL is anything else, or contains credentials.
    """
    parts, port = _split(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise AddressError("not an http or https URL")
    if "@" in parts.netloc:
        raise AddressError("the URL contains credentials")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port if port is not None else DEFAULT_PORTS[parts.scheme]}"


def check_keys_url(url: str, *, issuer: str, allowed_origins: Collection[str]) -> None:
    """Check the address of an issuer's keys.

    Args:
        url: The `jwks_uri` of the discovery document.
        issuer: URL of the issuer.
        allowed_origins: Further origins, as check_allowed_origin returns them.

    Raises:
        AddressError: The keys may not be fetched from there.
    """
    origin, own = origin_of(url), origin_of(issuer)
    if own.startswith("https:") and not origin.startswith("https:"):
        raise AddressError("the keys of an https issuer must be fetched by https")
    if origin != own and origin not in allowed_origins:
        raise AddressError("the keys are neither at the issuer's origin nor at one of jwks_origins")


def check_allowed_origin(url: str) -> str:
    """Return the origin that a site lists, in the spelling of origin_of.

    Raises:
        AddressError: It has a path, is not https, or is on this machine or link-local, where metadata services are.
    """
    origin, parts = origin_of(url), urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise AddressError("an origin has no path")
    if parts.scheme != "https":
        raise AddressError("not https")
    if _is_local(parts.hostname or ""):
        raise AddressError("a loopback or link-local address")
    return origin


def _split(url: str) -> tuple[SplitResult, int | None]:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressError("the URL has characters that need encoding")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError("not a URL") from None
    return parts, port


def _is_local(host: str) -> bool:
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_unspecified
