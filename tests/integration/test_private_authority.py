"""A site whose servers have certificates of its own authority, which a file beside its settings names."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from hubpod.client import HubClient, LoginRefused
from hubpod.settings.authorities import FILE_NAME as AUTHORITIES
from hubpod.settings.deploy_configmap import FILE_NAME
from hubpod_harness.external_services import USERS
from support.foreign_sources import write_release
from support.instances import PROJECT, SOURCES, RunningInstance
from support.private_site import PACKAGE, PrivateSite, open_private_site

Deploy = Callable[[str], tuple[RunningInstance, tuple[str, ...]]]


@pytest.fixture(scope="module")
def private_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSite]:
    """Start the site's server."""
    with open_private_site(tmp_path_factory.mktemp("private_site")) as site:
        yield site


def use_site(options: tuple[str, ...], site: PrivateSite) -> Path:
    """Name the site's issuer in the settings, and return the path for its authority's certificate."""
    directory = Path(options[0].partition("=")[2])
    document = yaml.safe_load((directory / FILE_NAME).read_text())
    document["data"]["oidcServer"] = site.issuer
    (directory / FILE_NAME).write_text(yaml.safe_dump(document))
    return directory / AUTHORITIES


def with_private_requirement(directory: Path) -> str:
    """Copy our authenticator, let it require the site's package, and return the option that uses the copy."""
    source = shutil.copytree(PROJECT / "packages" / "bricsauthenticator", directory / "bricsauthenticator")
    project = source / "pyproject.toml"
    project.write_text(project.read_text().replace("dependencies = [", f'dependencies = [\n    "{PACKAGE}==1.0",', 1))
    return f"--source=bricsauthenticator={source}"


def test_the_hub_and_its_build_trust_the_sites_authority(
    deploy: Deploy, private_site: PrivateSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build fetches a package over the site's TLS, and a token of the site's issuer logs in."""
    running, options = deploy("dev_realauth")
    authorities = use_site(options, private_site)
    source = with_private_requirement(tmp_path)
    monkeypatch.setenv("UV_INDEX", private_site.index)

    without = running.invoke("dev.up", *options, source, SOURCES[1])
    authorities.write_bytes(private_site.authority)
    up = running.invoke("dev.up", *options, source, SOURCES[1])

    assert without.code != 0
    assert "certificate" in without.text.lower()
    assert up.code == 0, up.text
    running.execute("jupyterhub", "python", "-c", f"import {PACKAGE}")
    hub = HubClient(running.status["url"])
    session = hub.login_with_token(private_site.mint(USERS[0], "project1"))
    assert session.user == USERS[0]
    with pytest.raises(LoginRefused):
        hub.login_with_token(private_site.mint(USERS[0], "project1")[:-4] + "AAAA")
    files = running.execute("jupyterhub", "sh", "-c", "grep -rl 'site-1\\|BEGIN CERT' /run/hubpod-build 2>/dev/null; :")
    assert not files  # the bundle is mounted for the build only


def test_production_is_cloned_and_checked_with_the_sites_authority(
    deploy: Deploy, private_site: PrivateSite, tmp_path: Path
) -> None:
    """Git clones a release over the site's TLS, and the issuer's keys are fetched, only with the certificate."""
    running, options = deploy("prod")
    authorities = use_site(options, private_site)
    write_release(tmp_path, "v9.0.0")
    url = private_site.publish(tmp_path / "bricsauthenticator")
    source = f"--source=bricsauthenticator={url}@v9.0.0"

    without = running.invoke("prod.check", *options, source)
    authorities.write_bytes(private_site.authority)
    check = running.invoke("prod.check", *options, source)

    assert without.code != 0
    assert "certificate" in without.text.lower()
    assert f"{private_site.issuer}" not in "\n".join(line for line in check.text.splitlines() if "does not" in line)
    assert "issuer" in check.text
    assert check.code == 0, check.text
