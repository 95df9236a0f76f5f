"""The issuer's public keys: discovery, fetching and caching.

Fetching never blocks the hub. Cached keys remain valid for a time while the issuer is down.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
from tornado.httpclient import HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from bricsauthenticator.login_errors import BadTokenError, IssuerUnavailableError
from bricsauthenticator.tokens import ALGORITHMS, NOT_ACCEPTED, Header

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_KEYS = 100
FIRST_FETCH_INTERVAL_S = 1.0  # while no keys are known, so that the hub recovers by itself

UNAVAILABLE = "The sign-in service cannot be reached. Please try again in a minute."


class DiscoveryError(Exception):
    """The issuer's response is not a discovery document or not a key set."""


@dataclass(frozen=True, kw_only=True)
class KeySet:
    """The keys of an issuer.

    Attributes:
        issuer: The issuer's own name, which tokens must have as `iss`.
        keys: The usable keys by id; a key without an id under "".
    """

    issuer: str
    keys: Mapping[str, jwt.PyJWK]

    def find(self, header: Header) -> jwt.PyJWK | None:
        """Return the key that the token names or, when it names none, the only key."""
        if header.key_id is not None:
            return self.keys.get(header.key_id)
        return next(iter(self.keys.values())) if len(self.keys) == 1 else None


@dataclass
class KeyStore:
    """The keys of one issuer, fetched on demand.

    Attributes:
        server: URL of the issuer.
        timeout_s: Time limit of each of the two requests of a fetch, in seconds.
        refresh_interval_s: Minimum time between two fetches, however many tokens name unknown keys.
        max_age_s: Age at which keys are fetched again, so that a withdrawn key is refused.
        log: Logger for failed fetches.
        clock: Returns monotonic time, in seconds.
    """

    server: str
    timeout_s: float
    refresh_interval_s: float
    max_age_s: float
    log: logging.Logger | logging.LoggerAdapter[Any]
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
            self._known = await fetch_keys(self.server, self.timeout_s)
            self._fetched_at = self.clock()
        except Exception as error:  # noqa: BLE001 - the last valid keys stay after any error
            self.log.warning("Cannot fetch the keys of %s: %s: %s", self.server, type(error).__name__, error)
        finally:
            self._fetching = None


async def fetch_keys(server: str, timeout_s: float) -> KeySet:
    """Fetch the issuer's discovery document and its key set."""
    base = server.rstrip("/")
    discovery = await _fetch_object(f"{base}/.well-known/openid-configuration", timeout_s)
    issuer, jwks_uri = discovery.get("issuer"), discovery.get("jwks_uri")
    if not isinstance(issuer, str) or issuer.rstrip("/") != base:
        raise DiscoveryError("the discovery document names another issuer")
    if not isinstance(jwks_uri, str) or urlsplit(jwks_uri).scheme not in ("https", urlsplit(base).scheme):
        raise DiscoveryError("the discovery document has no acceptable jwks_uri")
    keys = usable_keys(await _fetch_object(jwks_uri, timeout_s))
    if not keys:
        raise DiscoveryError("the key set has no usable key")
    return KeySet(issuer=issuer, keys=keys)


def usable_keys(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Return the signing keys of a key set with an allowed algorithm, and skip other keys."""
    entries = document.get("keys")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries[:MAX_KEYS] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        key_id = entry.get("kid", "")
        if key.algorithm_name in ALGORITHMS and isinstance(key_id, str):
            keys[key_id] = key
    return keys


async def _fetch_object(url: str, timeout_s: float) -> dict[str, Any]:
    # The simple client, because only it limits the size of a response.
    client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=MAX_DOCUMENT_BYTES)
    try:
        request = HTTPRequest(url, connect_timeout=timeout_s, request_timeout=timeout_s, follow_redirects=False)
        response = await client.fetch(request)
    finally:
        client.close()
    document = json.loads(response.body)
    if not isinstance(document, dict):
        raise DiscoveryError("the response is not a JSON object")
    return document
