"""The authorities that downloads trust."""

import os
from pathlib import Path

import pytest

from hubpod.system.certificates import CA_VARIABLES, SYSTEM_BUNDLES, ca_bundle, trusting

SITE = b"-----BEGIN CERTIFICATE-----\nsite\n-----END CERTIFICATE-----\n"
USUAL = b"-----BEGIN CERTIFICATE-----\nusual\n-----END CERTIFICATE-----"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_the_bundle_of_both_is_named_by_every_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Inside the block all programs get the machine's authorities and the site's; afterwards all is as before."""
    usual = tmp_path / "usual.pem"
    usual.write_bytes(USUAL)
    monkeypatch.setenv(variable, str(usual))
    before = dict(os.environ)

    with trusting(SITE):
        bundle = ca_bundle()
        assert bundle is not None
        assert bundle.read_bytes() == USUAL + b"\n" + SITE
        assert bundle.stat().st_mode & 0o777 == 0o644
        assert {os.environ[name] for name in CA_VARIABLES} == {str(bundle)}

    assert dict(os.environ) == before
    assert not bundle.exists()


def test_an_error_restores_the_variables() -> None:
    """A failed build leaves no variable that names a removed file."""
    before = dict(os.environ)

    with pytest.raises(RuntimeError), trusting(SITE):
        raise RuntimeError

    assert dict(os.environ) == before


@pytest.mark.parametrize("authorities", [None, b""])
def test_without_authorities_nothing_changes(authorities: bytes | None) -> None:
    """Programs keep their own choice of a bundle."""
    before, usual = dict(os.environ), ca_bundle()

    with trusting(authorities):
        assert (dict(os.environ), ca_bundle()) == (before, usual)


def test_a_machine_without_a_bundle_trusts_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """The site's authorities are then the only ones."""
    monkeypatch.setattr("hubpod.system.certificates.SYSTEM_BUNDLES", ())
    assert SYSTEM_BUNDLES

    with trusting(SITE):
        bundle = ca_bundle()
        assert bundle is not None
        assert bundle.read_bytes() == SITE
