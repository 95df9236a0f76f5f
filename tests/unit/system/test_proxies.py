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


def test_a_proxy_on_loopback_is_warned_about() -> None:
    """The sentence contains no password."""
    (warning,) = find_warnings({"HTTPS_PROXY": "http://user:secret@127.0.0.1:3128"})

    assert "HTTPS_PROXY" in warning
    assert "secret" not in warning
    assert not find_warnings({"HTTPS_PROXY": "http://proxy.example.org:3128"})
