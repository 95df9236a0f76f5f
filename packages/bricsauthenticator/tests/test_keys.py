"""The issuer's keys over time: rotation, outages, floods."""

import asyncio
import logging
from typing import Any

import pytest

from bricsauthenticator.keys import KeyStore, usable_keys
from bricsauthenticator.refusals import BadTokenError, IssuerUnavailableError
from bricsauthenticator.tokens import Header

pytestmark = pytest.mark.asyncio


class Clock:
    """Seconds that the test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def store(issuer: Any, clock: Clock) -> KeyStore:
    """Return the keys of the issuer, none fetched yet."""
    return KeyStore(server=issuer.url + "/", timeout_s=0.3, log=logging.getLogger("keys"), clock=clock)


def header(kid: str | None, algorithm: str = "RS256") -> Header:
    """Return what a token says about its key."""
    return Header(algorithm=algorithm, key_id=kid)


async def test_keys_are_fetched_once_and_kept(store: KeyStore, issuer: Any) -> None:
    """Known keys are used without asking again, and simultaneous logins share the first fetch."""
    found = await asyncio.gather(*(store.find(header("rsa-1")) for _ in range(20)))

    assert {name for name, _ in found} == {issuer.url}
    assert issuer.requests == [".well-known/openid-configuration", "jwks"]


async def test_a_new_key_is_accepted_after_one_fetch_and_the_removed_one_refused(
    store: KeyStore, issuer: Any, clock: Clock, new_key: Any
) -> None:
    """When the issuer replaces its key, the next token fetches it, and the old key is good no more."""
    await store.find(header("rsa-1"))
    issuer.keys = [new_key("ES256", "new")]
    clock.now += 31

    await store.find(header("new"))

    with pytest.raises(BadTokenError):
        await store.find(header("rsa-1"))


async def test_unknown_keys_are_looked_for_every_thirty_seconds_at_most(
    store: KeyStore, issuer: Any, clock: Clock
) -> None:
    """However many unknown keys come, the issuer is asked once in thirty seconds."""
    for step_s in (0, 29, 2, 1):
        clock.now += step_s
        for kid in ("a", "b"):
            with pytest.raises(BadTokenError):
                await store.find(header(kid))

    assert issuer.requests.count("jwks") == 2


@pytest.mark.parametrize("fault", ["down", "slow", "broken", "empty", "huge", "other issuer", "other scheme"])
async def test_the_last_good_keys_serve_while_the_issuer_fails(
    store: KeyStore, issuer: Any, clock: Clock, fault: str
) -> None:
    """Whatever happens to the issuer, keys that were good before stay good."""
    await store.find(header("rsa-1"))
    clock.now += 700
    if fault == "down":
        await issuer.stop()
    elif fault == "slow":
        issuer.delay.clear()
    elif fault == "other issuer":
        issuer.extra_discovery = {"issuer": "https://evil.example"}
    elif fault == "other scheme":
        issuer.extra_discovery = {"jwks_uri": "file:///etc/passwd"}
    else:
        issuer.raw_keys = {"broken": b"{", "empty": b'{"keys": []}', "huge": b" " * 10**6}[fault]

    assert await store.find(header("rsa-1"))
    issuer.delay.set()


async def test_without_any_key_it_recovers_within_seconds(store: KeyStore, issuer: Any, clock: Clock) -> None:
    """A hub that starts before its issuer asks again a second later."""
    issuer.raw_keys = b"not yet"
    with pytest.raises(IssuerUnavailableError):
        await store.find(header("rsa-1"))
    issuer.raw_keys = None
    clock.now += 1.5

    assert await store.find(header("rsa-1"))


async def test_a_token_without_key_id_uses_the_only_key(store: KeyStore, issuer: Any, new_key: Any) -> None:
    """Without a key id there is no guessing between several keys."""
    assert await store.find(header(None))

    issuer.keys = [*issuer.keys, new_key("RS256", "second")]
    other = KeyStore(server=issuer.url, timeout_s=0.3, log=logging.getLogger("keys"))
    with pytest.raises(BadTokenError):
        await other.find(header(None))


async def test_keys_that_cannot_sign_tokens_are_left_out(issuer: Any) -> None:
    """Secrets, encryption keys and malformed keys of a key set are not used."""
    good = issuer.keys[0].public_jwk
    document = {
        "keys": [
            {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
            {**good, "kid": "enc", "use": "enc"},
            {**good, "kid": 5},
            {"kty": "RSA", "kid": "half", "n": "AQ"},
            "text",
            good,
        ]
    }

    assert set(usable_keys(document)) == {"rsa-1"}
