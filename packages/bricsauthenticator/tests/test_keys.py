"""The issuer's keys over time: rotation, outages, floods."""

import asyncio
import logging
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator
from bricsauthenticator.keys import KeyStore, usable_keys
from bricsauthenticator.login_errors import BadTokenError, IssuerUnavailableError
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


def key_store(server: str, **changes: Any) -> KeyStore:
    """Return the keys of that issuer, with the authenticator's defaults unless changed."""
    values = {"timeout_s": 0.3, "refresh_interval_s": 30.0, "max_age_s": 600.0, "log": logging.getLogger("keys")}
    return KeyStore(server=server, **{**values, **changes})


@pytest.fixture
def store(issuer: Any, clock: Clock) -> KeyStore:
    """Return the keys of the issuer, none fetched yet."""
    return key_store(issuer.url + "/", clock=clock)


def header(kid: str | None, algorithm: str = "RS256") -> Header:
    """Return what a token says about its key."""
    return Header(algorithm=algorithm, key_id=kid)


async def test_keys_are_fetched_once_and_kept(store: KeyStore, issuer: Any) -> None:
    """Known keys need no request, and simultaneous logins share the first fetch."""
    found = await asyncio.gather(*(store.find(header("rsa-1")) for _ in range(20)))

    assert {name for name, _ in found} == {issuer.url}
    assert issuer.requests == [".well-known/openid-configuration", "jwks"]


async def test_a_new_key_is_accepted_after_one_fetch_and_the_removed_one_refused(
    store: KeyStore, issuer: Any, clock: Clock, new_key: Any
) -> None:
    """A token with an unknown key causes a fetch, which drops removed keys."""
    await store.find(header("rsa-1"))
    issuer.keys = [new_key("ES256", "new")]
    clock.now += 31

    await store.find(header("new"))

    with pytest.raises(BadTokenError):
        await store.find(header("rsa-1"))


async def test_unknown_keys_are_fetched_at_most_every_thirty_seconds(
    store: KeyStore, issuer: Any, clock: Clock
) -> None:
    """Any number of unknown keys causes one fetch in thirty seconds."""
    for step_s in (0, 29, 2, 1):
        clock.now += step_s
        for kid in ("a", "b"):
            with pytest.raises(BadTokenError):
                await store.find(header(kid))

    assert issuer.requests.count("jwks") == 2


async def test_the_refresh_interval_can_be_set(issuer: Any, clock: Clock) -> None:
    """A site chooses how often unknown keys may cause a fetch."""
    store = key_store(issuer.url, refresh_interval_s=5.0, clock=clock)
    for step_s in (0, 4, 2):
        clock.now += step_s
        with pytest.raises(BadTokenError):
            await store.find(header("a"))

    assert issuer.requests.count("jwks") == 2


@pytest.mark.parametrize(("max_age_s", "fetches"), [(600.0, 1), (60.0, 2)])
async def test_a_withdrawn_key_is_accepted_until_the_maximum_age(
    issuer: Any, clock: Clock, new_key: Any, max_age_s: float, fetches: int
) -> None:
    """A withdrawn key is refused once the cached keys are older than the site allows."""
    store = key_store(issuer.url, max_age_s=max_age_s, clock=clock)
    await store.find(header("rsa-1"))
    issuer.keys = [new_key("ES256", "new")]
    clock.now += 61

    if fetches == 1:
        assert await store.find(header("rsa-1"))
    else:
        with pytest.raises(BadTokenError):
            await store.find(header("rsa-1"))
    assert issuer.requests.count("jwks") == fetches


async def test_the_authenticator_passes_its_settings_to_the_key_store() -> None:
    """Interval and maximum age come from the configuration.

    The defaults are 30 and 600 seconds, and values below one second are refused.
    """
    brics: dict[str, Any] = {"oidc_server": "https://issuer.example"}
    config = Config(BricsAuthenticator={"keys_refresh_interval": 2.0, "keys_max_age": 3.0})

    stores = [BricsAuthenticator(**brics)._key_store(), BricsAuthenticator(config=config, **brics)._key_store()]

    assert [(each.refresh_interval_s, each.max_age_s) for each in stores] == [(30.0, 600.0), (2.0, 3.0)]
    for name in ("keys_refresh_interval", "keys_max_age"):
        with pytest.raises(TraitError):
            BricsAuthenticator(**brics, **{name: 0.5})


async def test_keys_of_another_issuer_are_refused(store: KeyStore, issuer: Any) -> None:
    """A discovery document of another issuer provides no keys, not even the first ones."""
    issuer.extra_discovery = {"issuer": "https://another.example"}

    with pytest.raises(IssuerUnavailableError):
        await store.find(header("rsa-1"))


async def test_a_slow_issuer_times_out(store: KeyStore, issuer: Any) -> None:
    """A login waits for an issuer that does not answer no longer than the site allows."""
    issuer.delay.clear()

    async with asyncio.timeout(10):  # the store has 0.3 s for it
        with pytest.raises(IssuerUnavailableError):
            await store.find(header("rsa-1"))
    issuer.delay.set()


@pytest.mark.parametrize("fault", ["down", "slow", "broken", "empty", "huge", "other issuer", "other scheme"])
async def test_the_last_good_keys_serve_while_the_issuer_fails(
    store: KeyStore, issuer: Any, clock: Clock, fault: str
) -> None:
    """Cached keys stay valid during any failure of the issuer."""
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
    """A hub that starts before its issuer fetches the keys again a second later."""
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
    other = key_store(issuer.url)
    with pytest.raises(BadTokenError):
        await other.find(header(None))


async def test_keys_that_cannot_sign_tokens_are_skipped(issuer: Any) -> None:
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
