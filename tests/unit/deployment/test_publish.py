"""Where the hub is published on the host: what may be asked for, whether it can work, and whether it is free."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hubpod.deployment.publish import checked_hub_api, parse_publish, require_free, require_ways_in
from hubpod.environments import ENVIRONMENTS, Environment, Ingress, Instance, Slurm, find_environment
from hubpod.errors import HubpodError, MachineError, SettingsError, UsageError
from hubpod.pod import Port
from hubpod.request import UpRequest
from hubpod.settings.deploy_configmap import FILE_NAME, Settings

EXTERNAL = find_environment("dev_dummyauth_extslurm")
NOBODY = 65534
UNPRIVILEGED_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def at(ip: str, port: int = 8081) -> Port:
    """The hub's API, published there."""
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
def test_an_address_and_a_port_are_understood(text: str, port: Port) -> None:
    """IP:PORT:8081 is read for both kinds of addresses, and an IPv6 address gets its one short form."""
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
def test_anything_else_is_told_with_an_example(text: str, says: str) -> None:
    """What is missing or wrong is named, as it was typed, and the remedy is an option that would be taken."""
    with pytest.raises(UsageError) as caught:
        parse_publish(text)

    assert caught.value.message.startswith(f"--publish {text}: ")
    assert says in caught.value.message
    assert parse_publish(suggested(caught.value))


def suggested(error: HubpodError) -> str:
    """The value of --publish that an error's remedy proposes."""
    found = re.search(r"--publish (\S+)", error.remedy)
    assert found, error.remedy
    return found[1]


def asked(environment: Environment, port: int | None = None, hub_api: Port | None = None) -> UpRequest:
    """What a person asks for."""
    return UpRequest(instance=Instance(environment=environment, name="default"), port=port, hub_api=hub_api)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: environment.name)
def test_only_ways_in_that_an_environment_has_are_taken(environment: Environment) -> None:
    """--port is for a port on the host and --publish for a Slurm outside; elsewhere each is refused by its name."""
    require_ways_in(environment, asked(environment))
    for port, hub_api, fits, option in (
        (8000, None, environment.ingress is Ingress.HOST_PORT, "--port"),
        (None, at("192.0.2.7"), environment.slurm is Slurm.EXTERNAL, "--publish"),
    ):
        if fits:
            require_ways_in(environment, asked(environment, port, hub_api))
        else:
            with pytest.raises(UsageError, match=environment.name) as caught:
                require_ways_in(environment, asked(environment, port, hub_api))
            assert caught.value.remedy == f"leave out {option}"


def settings(url: str) -> Settings:
    """The settings of a site, as far as they matter here."""
    return Settings(source=Path("site") / FILE_NAME, values={"hubConnectUrl": url})


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service with one host; the real one would be the network."""

    def getaddrinfo(host: str, port: int | None, *_: object) -> list[tuple[object, ...]]:
        host.encode("idna")
        if host == "hub.example.org":
            host = "192.0.2.7"
        if not re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8081",
        "http://127.0.0.1:8081",
        "https://127.9.9.9/hub",
        "http://[::1]:8081",
        "http://0.0.0.0:8081",
        "http://[::]:8081",
    ],
)
@pytest.mark.parametrize("hub_api", [None, at("0.0.0.0")], ids=str)  # noqa: S104 - compared, not listened at
def test_a_url_that_leads_servers_to_themselves_is_refused(url: str, hub_api: Port | None) -> None:
    """On a compute node a loopback address, or the one that stands for all, is the node itself."""
    with pytest.raises(SettingsError, match="leads users' servers to themselves") as caught:
        checked_hub_api(settings(url), EXTERNAL, hub_api)

    assert caught.value.message.startswith(f"{Path('site') / FILE_NAME}: hubConnectUrl: {url} ")


@pytest.mark.parametrize(
    ("url", "example"),
    [
        ("http://192.0.2.7:8081", "192.0.2.7:8081:8081"),
        ("http://192.0.2.7", "192.0.2.7:80:8081"),
        ("http://[2001:db8::7]:9000", "[2001:db8::7]:9000:8081"),
        ("http://hub.example.org:9000", "IP:9000:8081"),
    ],
)
def test_where_it_is_published_has_to_be_said(url: str, example: str) -> None:
    """Without --publish the remedy is the option that fits hubConnectUrl, ready to be copied."""
    with pytest.raises(UsageError, match="has to publish the hub's API") as caught:
        checked_hub_api(settings(url), EXTERNAL, None)

    assert url in caught.value.message
    assert suggested(caught.value) == example
    assert parse_publish(example.replace("IP", "192.0.2.7"))


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.9.9.9", "::1"])
def test_what_only_this_machine_reaches_is_refused(ip: str) -> None:
    """Users' servers are on another machine, so a loopback address is of no use to them."""
    with pytest.raises(UsageError, match="users' servers on another machine cannot reach it"):
        checked_hub_api(settings("http://hub.example.org:8081"), EXTERNAL, at(ip))


@pytest.mark.parametrize(
    ("url", "port", "leads_to"),
    [("http://hub.example.org:8081", 9000, 8081), ("http://hub.example.org", 8081, 80)],
)
def test_a_url_to_another_port_is_refused(url: str, port: int, leads_to: int) -> None:
    """Over http nothing on the way changes the port, so the two must agree."""
    with pytest.raises(SettingsError, match=f"leads to port {leads_to}, .* at 192.0.2.7:{port}") as caught:
        checked_hub_api(settings(url), EXTERNAL, at("192.0.2.7", port))

    assert caught.value.remedy == "make the two agree"


@pytest.mark.parametrize(
    ("url", "ip", "doubt"),
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
def test_what_cannot_be_decided_from_here_is_a_doubt(url: str, ip: str, doubt: str) -> None:
    """An address that is translated on the way, or a name that only others know, is told and not refused."""
    hub_api, told = checked_hub_api(settings(url), EXTERNAL, at(ip))

    assert hub_api == at(ip)
    assert doubt in told
    assert bool(doubt) is bool(told)


def test_where_slurm_is_in_the_pod_nothing_is_published() -> None:
    """There hubConnectUrl leads to the pod itself, and no option is needed."""
    url = "http://127.0.0.1:8081"

    assert checked_hub_api(settings(url), find_environment("dev_dummyauth"), None) == (None, "")


@contextmanager
def listener(ip: str) -> Iterator[int]:
    """Somebody who listens at an address of this machine."""
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as taken:
        taken.bind((ip, 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - asked for, not listened at
def test_a_port_is_free_or_taken(ip: str) -> None:
    """While somebody listens, the port is taken for that address and for all; once nobody does, it is free."""
    with listener("127.0.0.1") as port:
        with pytest.raises(MachineError, match=f"{ip}:{port} is taken") as caught:
            require_free(at(ip, port), "--publish")
        require_free(at("127.0.0.2", port), "--publish")

    assert caught.value.remedy == "choose another port with --publish"
    require_free(at(ip, port), "--publish")


def test_an_address_of_another_machine_is_told_as_such() -> None:
    """Nobody can listen at an address that this machine does not have."""
    with pytest.raises(MachineError, match=re.escape("192.0.2.254 is not an address of this machine")) as caught:
        require_free(at("192.0.2.254"), "--publish")

    assert caught.value.remedy == "give one of its own with --publish"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_ipv6_address_is_looked_at() -> None:
    """IPv6 addresses are bound as such: a foreign one is told, whether or not this machine has any of its own."""
    with pytest.raises(MachineError) as caught:
        require_free(at("2001:db8::7"), "--publish")

    assert caught.value.remedy.endswith("with --publish")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """This process without root's rights, for as long as the block."""
    if os.getuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(
    not UNPRIVILEGED_FROM.exists() or int(UNPRIVILEGED_FROM.read_text()) <= 1, reason="everybody may take any port here"
)
def test_a_port_that_only_root_may_take_is_not_told_as_taken() -> None:
    """A user who may not publish below 1024 learns that, instead of looking for somebody who listens there."""
    with ordinary_user(), pytest.raises(MachineError) as caught:
        require_free(at("127.0.0.1", 1), "--publish")

    assert "taken" not in caught.value.message
    assert caught.value.remedy
