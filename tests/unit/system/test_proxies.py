"""The proxies that the environment names."""

import pytest

from hubpod.system.proxies import find_warnings, proxy_variables


@pytest.mark.parametrize(
    ("environ", "variables"),
    [
        ({}, {}),
        ({"NO_PROXY": "x"}, {}),
        ({"HTTPS_PROXY": ""}, {}),
        (
            {"https_proxy": "http://p:3128", "HTTPS_PROXY": "http://other:1"},
            {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "localhost,127.0.0.1,::1"},
        ),
        (
            {"HTTP_PROXY": "http://p:1", "no_proxy": ".site, localhost"},
            {"HTTP_PROXY": "http://p:1", "NO_PROXY": ".site,localhost,127.0.0.1,::1"},
        ),
    ],
)
def test_variables_of_proxies(environ: dict[str, str], variables: dict[str, str]) -> None:
    """Names count in either case, and a pod's own addresses need no proxy."""
    assert proxy_variables(environ) == variables


@pytest.mark.parametrize("scheme", ["http://", "https://", "socks5://", ""])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1"])
def test_a_proxy_on_loopback_is_warned_about(scheme: str, host: str) -> None:
    """The sentence contains no password. A proxy without a scheme is one of http."""
    (warning,) = find_warnings({"HTTPS_PROXY": f"{scheme}user:secret@{host}:3128"})

    assert "HTTPS_PROXY" in warning
    assert "secret" not in warning


@pytest.mark.parametrize("proxy", ["http://proxy.example.org:3128", "proxy.example.org:3128", "", "http://[::1"])
def test_a_proxy_elsewhere_is_not_warned_about(proxy: str) -> None:
    """Text that is not a URL is left to the programs that read it."""
    assert not find_warnings({"HTTPS_PROXY": proxy})
