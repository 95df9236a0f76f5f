"""Resolve a request into everything that a pod derives from.

All of it is validated before anything is built or started.
"""

from dataclasses import dataclass
from pathlib import Path

from hubpod.components import assembly
from hubpod.components.assembly import entrance
from hubpod.components.component import Client
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment import damage
from hubpod.deployment.damage import volumes_by_part
from hubpod.deployment.publish import find_hub_api, require_free, require_matching_options
from hubpod.errors import SettingsError, UsageError
from hubpod.images.ensure import ImageSet
from hubpod.instances import Instance
from hubpod.labels import LABEL_DEPLOY_DIR
from hubpod.pod import Port
from hubpod.podman.snapshot import Snapshot
from hubpod.request import UpRequest
from hubpod.settings import credentials, deploy_configmap
from hubpod.settings.deploy_dir import DeployDir, load
from hubpod.settings.problems import report
from hubpod.system.ports import choose_port, reserve_port
from hubpod.system.proxies import find_warnings, proxy_variables


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A validated request.

    Attributes:
        request: The request.
        deploy: The site's settings and files.
        hub_api: Where the hub's API is published; None where only the pod needs it.
        warnings: Possible mistakes that this machine cannot verify.
    """

    request: UpRequest
    deploy: DeployDir
    hub_api: Port | None
    warnings: tuple[str, ...] = ()


def validate(context: Context, request: UpRequest, found: Snapshot, *, here: bool = True) -> Plan:
    """Validate a request against the environment, the deploy directory and this machine.

    Args:
        context: Context of the command.
        request: The request.
        found: The containers and volumes of the instance.
        here: Whether this machine publishes the ports, so that they must be free.

    Raises:
        UsageError: An option does not fit the environment.
        SettingsError: The deploy directory is wrong; carries all of its problems.
        MachineError: An address to publish at is taken, or belongs to another machine.
    """
    environment = request.instance.environment
    require_matching_options(environment, request)
    if here:
        _require_own_name(request.instance, found)
    report(context.workspace.files(request.instance).directory, damage.find(context.workspace, request.instance, found))
    with context.reporter.phase("settings") as phase:
        deploy = load(_find_deploy_dir(context, request, found), environment, assembly.settings())
        published = _published_ports(found)
        hub_api, warning = find_hub_api(
            deploy.settings, environment, request.hub_api or published.get(entrance(environment, Client.SERVER).port)
        )
        warnings = tuple(filter(None, (*deploy.warnings, warning, *find_warnings(proxy_variables()))))
        for each in warnings:
            context.reporter.say(f"! {each}")
        if here:
            _require_free_ports(request, hub_api, published)
        phase.result(str(deploy.settings.source))
    return Plan(request=request, deploy=deploy, hub_api=hub_api, warnings=warnings)


def _require_own_name(instance: Instance, found: Snapshot) -> None:
    """Refuse the name of a new instance if other instances need it.

    An instance that exists keeps its name, because its volumes have it, too.
    """
    ending = find_reserved_ending(instance.name)
    if ending and not (found.volumes or found.containers):
        other = instance.name.removesuffix(ending)
        raise UsageError(
            f"an instance cannot be called {instance.name!r}: "
            f"{instance.resource} is the name of a container of the instance {other!r}",
            remedy=f"choose a name that does not end in {ending}",
        )


def find_reserved_ending(name: str) -> str:
    """Return the end of an instance's name that makes it the name of another instance's container; empty without one.

    podman calls the containers of the instance x ``…--x-slurm`` and so on. Pods and containers share their names.
    """
    endings = (f"-{component.name}" for component in assembly.COMPONENTS)
    return next((each for each in endings if name.endswith(each)), "")


def _require_free_ports(request: UpRequest, hub_api: Port | None, published: dict[int, Port]) -> None:
    """Check that the ports to publish are free, unless the instance publishes them already."""
    browsers = (
        Port(container=entrance(request.instance.environment, Client.BROWSER).port, host=request.port)
        if request.port
        else None
    )
    for port, option in ((hub_api, "--publish"), (browsers, "--port")):
        own = published.get(port.container) if port else None
        if port and (not own or own.host != port.host):
            require_free(port, option)


def derive_site(context: Context, plan: Plan, built: ImageSet, found: Snapshot) -> Site:
    """Return everything that the pod derives from.

    The port is the requested one, else the instance's own, else a free one.
    """
    instance = plan.request.instance
    port = 0
    if instance.environment.ingress.publishes_port:
        port = plan.request.port or choose_instance_port(
            found, entrance(instance.environment, Client.BROWSER).port, plan.hub_api
        )
    return Site(
        instance=instance,
        settings=plan.deploy.settings,
        credentials=credentials.load_or_create(
            context.workspace.files(instance).credentials, assembly.credentials(), volumes_by_part(instance, found)
        ),
        images=built.images,
        sources=built.sources,
        volumes=context.workspace.project / "volumes",
        port=port,
        key_files=plan.deploy.key_files,
        hub_config=plan.deploy.hub_config,
        hub_api=plan.hub_api,
        proxies=proxy_variables(),
    )


def choose_instance_port(found: Snapshot, container_port: int, hub_api: Port | None) -> int:
    """Return the port that the instance publishes or may publish.

    A stopped instance keeps its port if that is still free. Otherwise another free port is chosen.
    """
    own = _published_ports(found).get(container_port)
    if own and (found.running or reserve_port(own.host)):
        return own.host
    return choose_port({hub_api.host} if hub_api else ())


def _find_deploy_dir(context: Context, request: UpRequest, found: Snapshot) -> Path:
    """Return the requested deploy directory, else the one in use, else the instance's own.

    Settings are generated in the instance's own directory if they are missing.
    """
    instance = request.instance
    if request.deploy_dir:
        return request.deploy_dir
    used = found.volume_label(LABEL_DEPLOY_DIR)
    own = context.workspace.files(instance).directory
    path = own / deploy_configmap.FILE_NAME
    if used or path.exists():
        return Path(used) if used else own
    if not deploy_configmap.can_generate(instance.environment, assembly.settings()):
        raise SettingsError(
            f"{instance.environment.name} needs settings that only a site knows",
            remedy=f"give the directory of your {deploy_configmap.FILE_NAME} with --deploy-dir; "
            f"examples/{instance.environment.name} has one to start from",
        )
    deploy_configmap.generate(path, instance.environment, assembly.settings())
    return own


def _published_ports(found: Snapshot) -> dict[int, Port]:
    """Return the ports that the instance publishes, by port in the pod."""
    return {
        inside: Port(container=inside, host=host, host_ip=ip)
        for state in found.containers.values()
        for inside, (ip, host) in state.ports.items()
    }
