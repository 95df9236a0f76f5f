"""Addresses of the host at which browsers and users' servers reach the hub."""

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
from hubpod.system.addresses import is_loopback
from hubpod.system.ports import require_bindable

ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with
MAX_PORT = 65535
SCHEME_PORTS = {"http": 80, "https": 443}
REMEDY = f"give it as IP:PORT:{API_PORT}, as in --publish 192.0.2.7:{API_PORT}:{API_PORT}"


def parse_publish(text: str) -> Port:
    """Parse the value of ``--publish IP:PORT:8081``, with an IPv6 address in brackets.

    Raises:
        UsageError: The value has another form.
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


def require_matching_options(environment: Environment, request: UpRequest) -> None:
    """Refuse options for an ingress or a published API that the environment does not have.

    Raises:
        UsageError: The request has such an option.
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
            f"{environment.name} runs users' servers in the pod, so the hub's API need not be published",
            remedy="leave out --publish",
        )


def find_hub_api(settings: Settings, environment: Environment, hub_api: Port | None) -> tuple[Port | None, str]:
    """Check the address at which the hub's API is published against hubConnectUrl.

    Args:
        settings: The deploy ConfigMap.
        environment: The environment.
        hub_api: The requested address, or the one in use.

    Returns:
        The address, None if the API need not be published; and a warning, which may be empty.

    Raises:
        UsageError: The API has to be published, and no address is given.
        SettingsError: hubConnectUrl cannot lead to the address.
    """
    if environment.slurm.in_pod:
        return None, ""
    url = settings.hub_connect_url
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or SCHEME_PORTS[parts.scheme]
    setting = f"{settings.source}: hubConnectUrl: {url}"
    if hub_api is None:
        example = f"--publish {_format_host(host) if _is_address(host) else 'IP'}:{_api_port(parts)}:{API_PORT}"
        raise UsageError(
            f"{environment.name} has to publish the hub's API, which users' servers reach as {url}",
            remedy=f"add {example}",
        )
    where = f"{hub_api.host_ip}:{hub_api.host}"
    if is_loopback(hub_api.host_ip):
        raise UsageError(f"--publish {where}: users' servers on another machine cannot reach it", remedy=REMEDY)
    if parts.scheme == "http" and port != hub_api.host:
        raise SettingsError(
            f"{setting} leads to port {port}, but the hub's API is published at {where}", remedy="make the two agree"
        )
    return hub_api, _find_warning(host, hub_api)


def _find_warning(host: str, hub_api: Port) -> str:
    """Return a warning about an address that this machine cannot verify.

    The address may be translated on the way, or its name may not resolve here.
    """
    addresses = _resolve(host)
    if not addresses:
        return f"hubConnectUrl: the name {host} has no address here; the compute nodes must know it"
    if hub_api.host_ip in ANY or hub_api.host_ip in addresses:
        return ""
    return f"hubConnectUrl leads to {', '.join(addresses)}, the hub's API is published at {hub_api.host_ip}"


def _resolve(host: str) -> Sequence[str]:
    try:
        return sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
    except (OSError, UnicodeError):  # the latter for a name with an empty or overlong label
        return ()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _format_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _api_port(parts: SplitResult) -> int:
    """Return the port at which the host must publish the API for a URL.

    For https it is the API's own port, because a TLS proxy has to stand in front of the API.
    """
    return API_PORT if parts.scheme == "https" else parts.port or SCHEME_PORTS[parts.scheme]


def require_free(port: Port, option: str) -> None:
    """Check that an address of this machine is free to publish at.

    Args:
        port: The address.
        option: The option that gives another one, such as ``--port``.

    Raises:
        MachineError: The address is taken, or belongs to another machine.
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
