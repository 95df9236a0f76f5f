"""The issuer's public keys: discovery, fetching and caching.

Fetching never blocks the hub. Cached keys remain valid for a time while the issuer is down.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import jwt

from bricsauthenticator import documents
from bricsauthenticator.hub_guard import strict_json
from bricsauthenticator.issuer_urls import check_keys_url
from bricsauthenticator.key_set import KeySet, read_key_set
from bricsauthenticator.login_errors import BadTokenError, IssuerUnavailableError
from bricsauthenticator.tokens import NOT_ACCEPTED, Header

FIRST_FETCH_INTERVAL_S = 1.0  # while no keys are known, so that the hub recovers by itself

UNAVAILABLE = "The sign-in service cannot be reached. Please try again in a minute."


class DiscoveryError(Exception):
    """The issuer's response is not its discovery document."""


@dataclass
class KeyStore:
    """The keys of one issuer, fetched on demand.

    Attributes:
        server: URL of the issuer.
        timeout_s: Time limit of a fetch with its two requests, in seconds.
        refresh_interval_s: Minimum time between two fetches, however many tokens name unknown keys.
        max_age_s: Age at which keys are fetched again, so that a withdrawn key is refused.
        log: Logger for failed fetches and unusable keys.
        allowed_origins: Origins, besides the issuer's, from which keys may be fetched.
        clock: Returns monotonic time, in seconds.
    """

    server: str
    timeout_s: float
    refresh_interval_s: float
    max_age_s: float
    log: logging.Logger | logging.LoggerAdapter[Any]
    allowed_origins: Collection[str] = ()
    clock: Callable[[], float] = time.monotonic
    _known: KeySet | None = None
    _fetched_at: float = -math.inf
    _tried_at: float = -math.inf
    _fetching: "asyncio.Task[None] | None" = field(default=None, repr=False)

    async def find(self, header: Header) -> tuple[str, jwt.PyJWK]:
        """Return the issuer's name and the key for a token with this header.

        Raises:
            IssuerUnavailableError: No keys are cached and none could be fetched.
            BadTokenError: The issuer has no such key.
        """
        too_old = self.clock() - self._fetched_at > self.max_age_s
        if self._known is None or self._known.find(header) is None or too_old:
            await self._refresh()
        if self._known is None:
            raise IssuerUnavailableError(UNAVAILABLE, detail="no keys of the issuer are known")
        key = self._known.find(header)
        if key is None:
            raise BadTokenError(NOT_ACCEPTED, detail="unknown key")
        return self._known.issuer, key

    async def _refresh(self) -> None:
        """Fetch the keys once for all waiting logins, unless the last attempt was a moment ago."""
        if self._fetching is None:
            interval = FIRST_FETCH_INTERVAL_S if self._known is None else self.refresh_interval_s
            if self.clock() - self._tried_at < interval:
                return
            self._tried_at = self.clock()
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                self._known = await fetch_keys(self.server, self.allowed_origins, self.timeout_s)
            self._fetched_at = self.clock()
            if self._known.unusable:
                self.log.warning("Skipped keys of %s: %s", self.server, "; ".join(self._known.unusable))
        except Exception as error:  # noqa: BLE001 - the last valid keys stay after any error
            self.log.warning("Cannot fetch the keys of %s: %s: %s", self.server, type(error).__name__, error)
        finally:
            self._fetching = None


async def fetch_keys(server: str, allowed_origins: Collection[str], timeout_s: float) -> KeySet:
    """Fetch the issuer's discovery document and its key set.

    Raises:
        DiscoveryError: The response is not the discovery document of this issuer.
        AddressError: The document names keys that may not be fetched from there.
        KeySetError: The keys' document is not a key set.
    """
    base = server.rstrip("/")
    discovery = await _fetch_json(f"{base}/.well-known/openid-configuration", timeout_s)
    if not isinstance(discovery, dict):
        raise DiscoveryError("the response is not a JSON object")
    issuer, jwks_uri = discovery.get("issuer"), discovery.get("jwks_uri")
    if not isinstance(issuer, str) or issuer.rstrip("/") != base:
        raise DiscoveryError("the discovery document names another issuer")
    if not isinstance(jwks_uri, str):
        raise DiscoveryError("the discovery document has no jwks_uri")
    check_keys_url(jwks_uri, issuer=base, allowed_origins=allowed_origins)
    return read_key_set(issuer, await _fetch_json(jwks_uri, timeout_s))


async def _fetch_json(url: str, timeout_s: float) -> object:
    return strict_json.parse_without_ambiguous(await documents.fetch(url, timeout_s))
