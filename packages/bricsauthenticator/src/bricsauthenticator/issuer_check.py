"""A check whether this machine can fetch an issuer's keys, in the way of the authenticator.

hubpod's readiness check calls it in the hub's container.
"""

import asyncio
from collections.abc import Collection

from bricsauthenticator.key_set import KeySet
from bricsauthenticator.keys import fetch_keys

TIMEOUT_S = 5.0


def find_problem(server: str, allowed_origins: Collection[str] = (), timeout_s: float = TIMEOUT_S) -> str:
    """Fetch the keys, and return what is wrong; empty if a login can be checked with them."""
    try:
        keys = asyncio.run(_fetch(server, allowed_origins, timeout_s))
    except Exception as error:  # noqa: BLE001 - every error prevents logins
        return f"{type(error).__name__}: {error}".strip().strip(":")
    return "" if keys.keys else "no usable key"


async def _fetch(server: str, allowed_origins: Collection[str], timeout_s: float) -> KeySet:
    async with asyncio.timeout(timeout_s):
        return await fetch_keys(server, allowed_origins, timeout_s)
