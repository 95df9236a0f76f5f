"""Addresses at which the hub is published: syntax, reachability and availability."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubpod.deployment.publish import find_hub_api, parse_publish, require_free, require_matching_options
from hubpod.environments import ENVIRONMENTS, Environment, Ingress, Slurm, find_environment
from hubpod.errors import HubpodError, MachineError, SettingsError, UsageError
from hubpod.instances import Instance
from hubpod.pod import Port
from hubpod.request import UpRequest
from hubpod.settings.deploy_configmap import FILE_NAME, Settings

EXTERNAL = find_environment("dev_dummyauth_extslurm")
NOBODY = 65534
UNPRIVILEGED_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def at(ip: str, port: int = 8081) -> Port:
    """Return the published address of the hub's API."""
    return Port(container=8081, host=port, host_ip=ip)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("192.0.2.7:8081:8081", at("192.0.2.7")),
        ("192.0.2.7:443:8081", at("192.0.2.7", 443)),
        ("0.0.0.0:65535:8081", at("0.0.0.0", 65535)),  # noqa: S104 - parsed, not listened at
        ("[2001:db8::7]:8081:8081", at("2001:db8::7")),
        ("[2001:DB8:0::0007]:8081:8081", at("2001:db8::7")),
        ("[::]:1:8081", at("::", 1)),
    ],
)
def test_an_address_and_a_port_are_parsed(text: str, port: Port) -> None:
    """IP:PORT:8081 is parsed for IPv4 and IPv6, and an IPv6 address is normalized."""
    assert parse_publish(text) == port


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing is not an IP address"),
        ("8081", "8081 is not an IP address"),
        ("8081:8081", "8081 is not an IP address"),
        (":8081:8081", "nothing is not an IP address"),
        ("head:8081:8081", "head is not an IP address"),
        ("192.0.2.256:8081:8081", "192.0.2.256 is not an IP address"),
        ("2001:db8::7:8081:8081", "is not an IP address"),
        ("[2001:db8::7:8081:8081", "is not an IP address"),
        ("[head]:8081:8081", "is not an IP address"),
        ("[fe80::1%eth0]:8081:8081", "is not an IP address of one machine"),
        ("192.0.2.7", "the port must be a number from 1 to 65535"),
        ("192.0.2.7::8081", "the port must be a number from 1 to 65535"),
        ("192.0.2.7:0:8081", "the port must be a number from 1 to 65535"),
        ("192.0.2.7:65536:8081", "the port must be a number from 1 to 65535"),
        ("192.0.2.7:-1:8081", "the port must be a number from 1 to 65535"),
        ("[2001:db8::7]:http:8081", "the port must be a number from 1 to 65535"),
        ("192.0.2.7:8081", "the hub's API has port 8081 in the pod"),
        ("192.0.2.7:8081:", "the hub's API has port 8081 in the pod"),
        ("192.0.2.7:8081:8000", "the hub's API has port 8081 in the pod"),
        ("192.0.2.7:8081:8081/tcp", "the hub's API has port 8081 in the pod"),
        ("192.0.2.7:8081:8081:8081", "the hub's API has port 8081 in the pod"),
        ("[2001:db8::7]:8081", "the hub's API has port 8081 in the pod"),
    ],
)
def test_an_invalid_publish_option_is_refused_with_a_valid_example(text: str, says: str) -> None:
    """The error quotes the option as typed, names the problem and has a valid option as remedy."""
    with pytest.raises(UsageError) as caught:
        parse_publish(text)

    assert caught.value.message.startswith(f"--publish {text}: ")
    assert says in caught.value.message
    assert parse_publish(suggested(caught.value))


def suggested(error: HubpodError) -> str:
    """Return the value of --publish that an error's remedy proposes."""
    found = re.search(r"--publish (\S+)", error.remedy)
    assert found, error.remedy
    return found[1]


def request_for(environment: Environment, port: int | None = None, hub_api: Port | None = None) -> UpRequest:
    """Return a request with these addresses."""
    return UpRequest(instance=Instance(environment=environment, name="default"), port=port, hub_api=hub_api)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_options_that_do_not_fit_the_environment_are_refused(environment: Environment) -> None:
    """--port needs a published port, and --publish an external Slurm.

    The remedy names the option to leave out.
    """
    require_matching_options(environment, request_for(environment))
    for port, hub_api, fits, option in (
        (8000, None, environment.ingress is Ingress.HOST_PORT, "--port"),
        (None, at("192.0.2.7"), environment.slurm is Slurm.EXTERNAL, "--publish"),
    ):
        if fits:
            require_matching_options(environment, request_for(environment, port, hub_api))
        else:
            with pytest.raises(UsageError, match=environment.name) as caught:
                require_matching_options(environment, request_for(environment, port, hub_api))
            assert caught.value.remedy == f"leave out {option}"


def settings(url: str) -> Settings:
    """Return settings with this hubConnectUrl."""
    return Settings(source=Path("site") / FILE_NAME, values={"hubConnectUrl": url})


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the resolver by a resolver of a single host."""

    def getaddrinfo(host: str, port: int | None, *_: object) -> list[tuple[object, ...]]:
        host.encode("idna")
        if host == "hub.example.org":
            host = "192.0.2.7"
        if not re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("url", "example"),
    [
        ("http://192.0.2.7:8081", "192.0.2.7:8081:8081"),
        ("http://192.0.2.7", "192.0.2.7:80:8081"),
        ("http://[2001:db8::7]:9000", "[2001:db8::7]:9000:8081"),
        ("http://hub.example.org:9000", "IP:9000:8081"),
    ],
)
def test_a_missing_publish_option_is_proposed(url: str, example: str) -> None:
    """The remedy is the option that fits hubConnectUrl, ready to be copied."""
    with pytest.raises(UsageError, match="has to publish the hub's API") as caught:
        find_hub_api(settings(url), EXTERNAL, None)

    assert url in caught.value.message
    assert suggested(caught.value) == example
    assert parse_publish(example.replace("IP", "192.0.2.7"))


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1"])
def test_a_loopback_address_is_refused(ip: str) -> None:
    """Users' servers run on another machine, which cannot reach a loopback address."""
    with pytest.raises(UsageError, match="users' servers on another machine cannot reach it"):
        find_hub_api(settings("http://hub.example.org:8081"), EXTERNAL, at(ip))


@pytest.mark.parametrize(
    ("url", "port", "leads_to"),
    [("http://hub.example.org:8081", 9000, 8081), ("http://hub.example.org", 8081, 80)],
)
def test_a_url_to_another_port_is_refused(url: str, port: int, leads_to: int) -> None:
    """Over http no proxy changes the port on the way, so the two must agree."""
    with pytest.raises(SettingsError, match=f"leads to port {leads_to}, .* at 192.0.2.7:{port}") as caught:
        find_hub_api(settings(url), EXTERNAL, at("192.0.2.7", port))

    assert caught.value.remedy == "make the two agree"


@pytest.mark.parametrize(
    ("url", "ip", "expected"),
    [
        ("http://192.0.2.7:8081", "192.0.2.7", ""),
        ("http://hub.example.org:8081", "192.0.2.7", ""),
        ("http://hub.example.org:8081", "0.0.0.0", ""),  # noqa: S104 - compared
        ("http://hub.example.org:8081", "::", ""),
        ("https://hub.example.org/hub", "192.0.2.7", ""),
        ("http://[2001:db8::7]:8081", "2001:db8::7", ""),
        ("http://hub.example.org:8081", "192.0.2.8", "leads to 192.0.2.7, the hub's API is published at 192.0.2.8"),
        ("http://192.0.2.7:8081", "192.0.2.8", "leads to 192.0.2.7, the hub's API is published at 192.0.2.8"),
        ("http://head:8081", "192.0.2.7", "the name head has no address here; the compute nodes must know it"),
        ("http://hub..example:8081", "192.0.2.7", "the name hub..example has no address here"),
    ],
)
def test_an_undecidable_address_is_a_warning(url: str, ip: str, expected: str) -> None:
    """An address that this machine cannot judge is not refused.

    It may be translated, or only compute nodes may resolve the name.
    """
    hub_api, warning = find_hub_api(settings(url), EXTERNAL, at(ip))

    assert hub_api == at(ip)
    assert expected in warning
    assert bool(expected) is bool(warning)


def test_a_slurm_in_the_pod_needs_no_published_api() -> None:
    """HubConnectUrl leads to the pod itself, and no option is needed."""
    url = "http://127.0.0.1:8081"

    assert find_hub_api(settings(url), find_environment("dev_dummyauth"), None) == (None, "")


@contextmanager
def listener(ip: str) -> Iterator[int]:
    """Listen at an address of this machine, and yield the port."""
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as taken:
        taken.bind((ip, 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - requested, without a listener
def test_a_port_is_free_or_taken(ip: str) -> None:
    """A port with a listener is taken at its address and at the unspecified address.

    The port is free when the listener closes.
    """
    with listener("127.0.0.1") as port:
        with pytest.raises(MachineError, match=f"{ip}:{port} is taken") as caught:
            require_free(at(ip, port), "--publish")
        require_free(at("127.0.0.2", port), "--publish")

    assert caught.value.remedy == "choose another port with --publish"
    require_free(at(ip, port), "--publish")


def test_an_address_of_another_machine_is_refused() -> None:
    """The error says that the address is not one of this machine."""
    with pytest.raises(MachineError, match=re.escape("192.0.2.254 is not an address of this machine")) as caught:
        require_free(at("192.0.2.254"), "--publish")

    assert caught.value.remedy == "give one of its own with --publish"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_ipv6_address_of_another_machine_is_refused() -> None:
    """This holds whether or not this machine has IPv6 addresses."""
    with pytest.raises(MachineError) as caught:
        require_free(at("2001:db8::7"), "--publish")

    assert caught.value.remedy.endswith("with --publish")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Drop root's rights for the block."""
    if os.getuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(
    not UNPRIVILEGED_FROM.exists() or int(UNPRIVILEGED_FROM.read_text()) <= 1,
    reason="any user may bind any port here",
)
def test_a_port_that_only_root_may_publish_is_not_called_taken() -> None:
    """A user who may not publish below 1024 learns the real reason."""
    with ordinary_user(), pytest.raises(MachineError) as caught:
        require_free(at("127.0.0.1", 1), "--publish")

    assert "taken" not in caught.value.message
    assert caught.value.remedy
