"""The addresses from which an issuer's keys may be fetched."""

import pytest
from traitlets import TraitError

from bricsauthenticator import BricsAuthenticator
from bricsauthenticator.issuer_urls import AddressError, check_keys_url

ISSUER = "https://issuer.example/realms/main"


def is_accepted(url: str, issuer: str = ISSUER, allowed: tuple[str, ...] = ()) -> bool:
    """Whether keys of the issuer may be fetched from a URL."""
    origins = BricsAuthenticator(jwks_origins=list(allowed)).jwks_origins
    try:
        check_keys_url(url, issuer=issuer, allowed_origins=origins)
    except AddressError:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [f"{ISSUER}/certs", "https://issuer.example/certs", "https://issuer.example:443/certs", "HTTPS://ISSUER.EXAMPLE/c"],
)
def test_keys_at_the_issuers_origin_are_accepted(url: str) -> None:
    """Any path at the issuer's own origin may have the keys, in every spelling of the origin."""
    assert is_accepted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/certs",
        "https://issuer.example:8443/certs",
        "https://keys.issuer.example/certs",
        "https://issuer.example.evil.example/certs",
        "https://issuer.example./certs",
        "https://issuer.example@evil.example/certs",
        "https://user:password@issuer.example/certs",
        "https://user@issuer.example/certs",
        "https://@issuer.example/certs",
        "https://issuer.example\\@evil.example/certs",
        "https:\\\\issuer.example/certs",
        "https://evil.example/https://issuer.example/certs",
        "https://127.0.0.1/certs",
        "https://127.1/certs",
        "https://2130706433/certs",
        "https://[::1]/certs",
        "https://localhost/certs",
        "http://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/certs",
        "https://[::ffff:169.254.169.254]/certs",
        "https://10.0.0.1/certs",
        "//issuer.example/certs",
        "/certs",
        "certs",
        "",
        "file:///etc/passwd",
        "ftp://issuer.example/certs",
        "unix:///run/podman.sock",
        "https://issuer.example/c erts",
        "https://issuer.example/certs\r\nX: y",
        "https://issuer\t.example/certs",
        "https://issuer。example/certs",
        "https://issuer.example:x/certs",
        "https://issuer.example:99999/certs",
        "https://[issuer.example/certs",
    ],
)
def test_keys_elsewhere_are_refused(url: str) -> None:
    """Another origin, credentials, an address inside the network, or an ambiguous URL is refused."""
    assert not is_accepted(url)


def test_an_issuer_of_a_development_environment_serves_its_keys() -> None:
    """An http issuer, also on loopback, is the site's own choice."""
    assert is_accepted("http://127.0.0.1:9000/certs", issuer="http://127.0.0.1:9000")
    assert not is_accepted("http://127.0.0.1:9001/certs", issuer="http://127.0.0.1:9000")


def test_a_site_may_list_other_origins() -> None:
    """An origin that the site lists is accepted, with the same scheme, host and port."""
    allowed = ("https://keys.example", "https://keys2.example:8443/")

    assert is_accepted("https://keys.example/certs", allowed=allowed)
    assert is_accepted("https://keys2.example:8443/certs", allowed=allowed)
    assert not is_accepted("https://keys2.example/certs", allowed=allowed)
    assert not is_accepted("http://keys.example/certs", allowed=allowed)
    assert not is_accepted("https://user:password@keys.example/certs", allowed=allowed)


@pytest.mark.parametrize(
    "origin",
    [
        "http://keys.example",
        "https://keys.example/certs",
        "keys.example",
        "https://u:p@keys.example",
        "https://127.0.0.1",
        "https://localhost",
        "https://x.localhost",
        "https://[::1]",
        "https://169.254.169.254",
        "https://0.0.0.0",
        "*",
        "",
    ],
)
def test_the_site_lists_public_https_origins(origin: str) -> None:
    """A list with anything else is refused by name when the hub starts."""
    with pytest.raises(TraitError, match="jwks_origins"):
        BricsAuthenticator(jwks_origins=[origin])


@pytest.mark.parametrize("server", ["https://u:p@issuer.example", "https://issuer.example/?x=y", "issuer.example"])
def test_the_issuer_has_a_plain_url(server: str) -> None:
    """An issuer's URL with credentials or a query is refused by name when the hub starts."""
    with pytest.raises(TraitError, match="oidc_server"):
        BricsAuthenticator(oidc_server=server)
