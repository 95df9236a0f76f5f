"""Settings that name another machine, with an address of the machine or container that connects to it."""

from pathlib import Path

import pytest

from hubpod.components.assembly import settings
from hubpod.environments import Environment, find_environment
from hubpod.errors import SettingsError
from hubpod.settings import deploy_configmap, zenith_config
from hubpod.settings.deploy_configmap import FILE_NAME
from support.deploy_dirs import write_original

OWN = (
    *("localhost", "LOCALHOST.", "ip6-localhost", "keycloak.localhost", "localhost.localdomain"),
    *("127.0.0.1", "127.9.9.9", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "0"),  # noqa: S104 - refused
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"),
)
OTHERS = ("192.0.2.7", "[2001:db8::7]", "localhost.example.org", "128.0.0.1", "host.containers.internal")
PROD = find_environment("prod")
KEYS = tuple(row.key for row in settings() if "://" in row.example)


def refusal(directory: Path, environment: Environment, **changes: str) -> str:
    """Return the message by which a deploy ConfigMap is refused; empty if it is accepted."""
    path = (
        write_original(directory, environment.name, {key: f'"{value}"' for key, value in changes.items()}) / FILE_NAME
    )
    try:
        deploy_configmap.load(path, environment, settings())
    except SettingsError as error:
        return error.message
    return ""


def test_every_setting_with_a_url_is_tried() -> None:
    """Both settings that are URLs are below."""
    assert set(KEYS) == {"hubConnectUrl", "oidcServer"}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize("form", ["http://{}:8080", "https://{}/realms/site"])
def test_a_url_of_the_own_machine_is_refused(tmp_path: Path, key: str, host: str, form: str) -> None:
    """In a container or on a compute node, the address is that container or node. The sentence has the remedy."""
    url = form.format(host)

    message = refusal(tmp_path, PROD, **{key: url})

    assert message.startswith(f"{tmp_path / FILE_NAME}:")
    assert f" {key}: is {url}, which leads " in message
    assert "; name " in message


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("host", OTHERS)
def test_a_url_of_another_machine_is_accepted(tmp_path: Path, key: str, host: str) -> None:
    """Names and addresses that merely resemble loopback are those of other machines."""
    assert not refusal(tmp_path, PROD, **{key: f"http://{host}:8080"})


@pytest.mark.parametrize("host", OWN)
def test_an_issuer_of_the_zenith_servers_own_machine_is_refused(tmp_path: Path, host: str) -> None:
    """The Zenith server connects to the issuer, too."""
    content = (
        f"serverAddress: zenith.example.org\nauthOidcIssuer: http://{host}:8080/realms/site\n"
        "authOidcClientId: jupyter\nauthOidcClientSecret: not-an-example\n"
    )

    (problem,) = zenith_config.find_problems(tmp_path / zenith_config.FILE_NAME, content.encode(), PROD)

    assert problem.message.startswith(f"{tmp_path / zenith_config.FILE_NAME}:2: authOidcIssuer: is http://{host}:8080")
    assert "leads the Zenith server to itself; name the issuer" in problem.message
