"""The issuer's keys over time: rotation, outages, floods."""

import asyncio
import json
import logging
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator
from bricsauthenticator.keys import KeyStore
from bricsauthenticator.login_errors import BadTokenError, IssuerUnavailableError
from bricsauthenticator.tokens import Header

pytestmark = pytest.mark.asyncio

LONG_S = 60.0
"""The limit of a fetch that succeeds, however busy the machine is."""
SHORT_S = 0.05
"""The limit of a fetch that gets no answer."""


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
    values = {"timeout_s": LONG_S, "refresh_interval_s": 30.0, "max_age_s": 600.0, "log": logging.getLogger("keys")}
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

    await store.find(header("new", "ES256"))

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


async def test_a_slow_issuer_times_out(issuer: Any) -> None:
    """A login waits for an issuer that does not answer no longer than the site allows."""
    issuer.delay.clear()

    async with asyncio.timeout(LONG_S):
        with pytest.raises(IssuerUnavailableError):
            await key_store(issuer.url, timeout_s=SHORT_S).find(header("rsa-1"))
    issuer.delay.set()


@pytest.mark.parametrize(
    "fault", ["down", "slow", "broken", "not a set", "huge", "other issuer", "other scheme", "other origin", "repeated"]
)
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
        store.timeout_s = SHORT_S
    elif fault == "other issuer":
        issuer.extra_discovery = {"issuer": "https://evil.example"}
    elif fault == "other scheme":
        issuer.extra_discovery = {"jwks_uri": "file:///etc/passwd"}
    elif fault == "other origin":
        issuer.extra_discovery = {"jwks_uri": "http://169.254.169.254/latest/meta-data"}
    else:
        issuer.raw_keys = {
            "broken": b"{",
            "not a set": b'{"keys": {}}',
            "huge": b" " * 10**6,
            "repeated": b'{"keys": [], "keys": []}',
        }[fault]

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


async def test_an_empty_key_set_withdraws_all_keys(store: KeyStore, issuer: Any, clock: Clock) -> None:
    """Once the issuer publishes no key, no token is accepted any more."""
    await store.find(header("rsa-1"))
    issuer.raw_keys = b'{"keys": []}'
    clock.now += 700

    for _ in range(2):
        with pytest.raises(BadTokenError):
            await store.find(header("rsa-1"))


async def test_an_unusable_key_does_not_keep_withdrawn_ones(store: KeyStore, issuer: Any, clock: Clock) -> None:
    """A key set without any usable key withdraws the earlier keys, and the log has the reason."""
    await store.find(header("rsa-1"))
    issuer.raw_keys = json.dumps({"keys": [{**issuer.keys[0].public_jwk, "alg": "none"}]}).encode()
    clock.now += 700

    with pytest.raises(BadTokenError):
        await store.find(header("rsa-1"))


async def test_both_documents_have_one_time_limit(
    store: KeyStore, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two slow answers do not add up past the limit of a fetch, which covers both requests."""
    limits: list[tuple[float | None, int]] = []
    real = asyncio.timeout

    def limit(delay: float | None) -> Any:
        limits.append((delay, len(issuer.requests)))
        return real(delay)

    monkeypatch.setattr("bricsauthenticator.keys.asyncio.timeout", limit)

    await store.find(header("rsa-1"))

    assert limits == [(store.timeout_s, 0)]
    assert len(issuer.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(store: KeyStore, issuer: Any, status: int) -> None:
    """An issuer that redirects provides no keys."""
    issuer.redirect = (status, f"{issuer.url}/jwks")

    with pytest.raises(IssuerUnavailableError):
        await store.find(header("rsa-1"))

    assert issuer.requests == [".well-known/openid-configuration"]


async def test_keys_of_another_origin_are_fetched_only_if_the_site_lists_it(issuer: Any, clock: Clock) -> None:
    """An origin that the site lists serves keys as the issuer does."""
    other = f"http://localhost:{issuer.port}"
    issuer.extra_discovery = {"jwks_uri": f"{other}/realms/main/jwks"}
    refused = key_store(issuer.url, clock=clock)
    allowed = key_store(issuer.url, clock=clock, allowed_origins=[other])

    with pytest.raises(IssuerUnavailableError):
        await refused.find(header("rsa-1"))
    assert await allowed.find(header("rsa-1"))
