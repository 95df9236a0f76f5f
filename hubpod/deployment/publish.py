"""Where the hub is published on the host: the port for browsers, and the hub's API for servers on another cluster."""

import errno
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from hubpod.components.jupyterhub import API_PORT
from hubpod.environments import Environment
from hubpod.errors import MachineError, SettingsError, UsageError
from hubpod.pod import Port
from hubpod.request import UpRequest
from hubpod.settings.deploy_configmap import Settings
from hubpod.system.loopback import is_loopback
from hubpod.system.ports import require_bindable

ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with
MAX_PORT = 65535
SCHEME_PORTS = {"http": 80, "https": 443}
REMEDY = f"give it as IP:PORT:{API_PORT}, as in --publish 192.0.2.7:{API_PORT}:{API_PORT}"


def parse_publish(text: str) -> Port:
    """What ``--publish IP:PORT:8081`` asks for; an IPv6 address stands in brackets.

    Raises:
        UsageError: It asks for something else.
    """
    address, _, rest = text.rpartition("]:") if text.startswith("[") else text.partition(":")
    port, _, inside = rest.partition(":")
    try:
        ip = ipaddress.ip_address(address.removeprefix("["))
    except ValueError:
        raise UsageError(f"--publish {text}: {address or 'nothing'} is not an IP address", remedy=REMEDY) from None
    if ip.is_multicast or "%" in str(ip):
        raise UsageError(f"--publish {text}: {ip} is not an IP address of one machine", remedy=REMEDY)
    if not port.isdecimal() or not 1 <= int(port) <= MAX_PORT:
        raise UsageError(f"--publish {text}: the port must be a number from 1 to {MAX_PORT}", remedy=REMEDY)
    if inside != str(API_PORT):
        raise UsageError(f"--publish {text}: the hub's API has port {API_PORT} in the pod", remedy=REMEDY)
    return Port(container=API_PORT, host=int(port), host_ip=str(ip))


def require_ways_in(environment: Environment, request: UpRequest) -> None:
    """Refuse options for a way in that an environment does not have.

    Raises:
        UsageError: There is such an option.
    """
    if request.port and not environment.ingress.publishes_port:
        raise UsageError(
            f"{environment.name} publishes no port for browsers: they come through the {environment.ingress.value}",
            remedy="leave out --port",
        )
    if request.zenith_image and not environment.ingress.uses_zenith:
        raise UsageError(f"{environment.name} has no Zenith tunnel", remedy="leave out --zenith-image")
    if request.hub_api and environment.slurm.in_pod:
        raise UsageError(
            f"in {environment.name} the users' servers are in the pod, and nobody else needs the hub's API",
            remedy="leave out --publish",
        )


def checked_hub_api(settings: Settings, environment: Environment, hub_api: Port | None) -> tuple[Port | None, str]:
    """Where the hub's API is published, seen to agree with hubConnectUrl, and a doubt to tell about it.

    Raises:
        UsageError: It has to be published, and nobody has said where.
        SettingsError: hubConnectUrl cannot lead there.
    """
    if environment.slurm.in_pod:
        return None, ""
    url = settings.hub_connect_url
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or SCHEME_PORTS[parts.scheme]
    told = f"{settings.source}: hubConnectUrl: {url}"
    if _is_own_only(host):
        raise SettingsError(
            f"{told} leads users' servers to themselves", remedy="name this machine as the compute nodes reach it"
        )
    if hub_api is None:
        example = f"--publish {_bracketed(host) if _is_address(host) else 'IP'}:{_api_port(parts)}:{API_PORT}"
        raise UsageError(
            f"{environment.name} has to publish the hub's API, where users' servers reach it as {url}",
            remedy=f"add {example}",
        )
    where = f"{hub_api.host_ip}:{hub_api.host}"
    if is_loopback(hub_api.host_ip):
        raise UsageError(f"--publish {where}: users' servers on another machine cannot reach it", remedy=REMEDY)
    if parts.scheme == "http" and port != hub_api.host:
        raise SettingsError(
            f"{told} leads to port {port}, and the hub's API is published at {where}", remedy="make the two agree"
        )
    return hub_api, _doubt(host, hub_api)


def _doubt(host: str, hub_api: Port) -> str:
    """What cannot be decided from here: an address that is translated on the way, or a name that others resolve."""
    addresses = _addresses(host)
    if not addresses:
        return f"hubConnectUrl: the name {host} has no address here; the compute nodes must know it"
    if hub_api.host_ip in ANY or hub_api.host_ip in addresses:
        return ""
    return f"hubConnectUrl leads to {', '.join(addresses)}, the hub's API is published at {hub_api.host_ip}"


def _addresses(host: str) -> Sequence[str]:
    try:
        return sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
    except (OSError, UnicodeError):  # the latter for a name with an empty or overlong part
        return ()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own_only(host: str) -> bool:
    """Whether each machine means itself by it."""
    return is_loopback(host) or (_is_address(host) and ipaddress.ip_address(host).is_unspecified)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _api_port(parts: SplitResult) -> int:
    """The port that a URL leads to, unless something that speaks TLS must stand in front of the API."""
    return API_PORT if parts.scheme == "https" else parts.port or SCHEME_PORTS[parts.scheme]


def require_free(port: Port, option: str) -> None:
    """See that nothing listens at an address of this machine.

    Raises:
        MachineError: Something does, or the address is another machine's.
    """
    where = f"{port.host_ip}:{port.host}"
    try:
        require_bindable(port.host_ip, port.host)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise MachineError(
                f"{port.host_ip} is not an address of this machine", remedy=f"give one of its own with {option}"
            ) from None
        problem = {
            errno.EADDRINUSE: f"{where} is taken",
            errno.EACCES: f"only root may publish a port as low as {port.host} here",
        }.get(error.errno or 0, f"{where} cannot be published: {error.strerror}")
        raise MachineError(problem, remedy=f"choose another port with {option}") from None
