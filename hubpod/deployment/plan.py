"""From what a person asks for to all that a pod derives from; everything is checked before anything is made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hubpod.components import jupyterhub, proxy
from hubpod.components.site import Site
from hubpod.context import Context
from hubpod.deployment.publish import checked_hub_api, require_free, require_ways_in
from hubpod.environments import Environment, Instance
from hubpod.errors import SettingsError
from hubpod.images.ensure import ImageSet
from hubpod.labels import LABEL_DEPLOY_DIR
from hubpod.pod import Port
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.request import UpRequest
from hubpod.settings import credentials, deploy_configmap, zenith_config
from hubpod.settings.deploy_dir import Deploy, load
from hubpod.workspace import choose_port, port_is_ours


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a person asks for, seen to be possible.

    Attributes:
        request: What that is.
        deploy: The site's settings and files.
        hub_api: Where the hub's API is published; None where only the pod needs it.
        doubts: What may be wrong and cannot be decided from here.
    """

    request: UpRequest
    deploy: Deploy
    hub_api: Port | None
    doubts: tuple[str, ...] = ()


def check(context: Context, request: UpRequest, *, here: bool = True) -> Plan:
    """See that everything is right before anything is built or started.

    Args:
        context: What commands work with.
        request: What a person asks for.
        here: Whether it is this machine that publishes, so that its addresses matter.

    Raises:
        UsageError: An option does not fit the environment.
        SettingsError: The deploy directory; carries all that is wrong with it.
        MachineError: An address to publish at is taken, or another machine's.
    """
    environment = request.instance.environment
    require_ways_in(environment, request)
    with context.reporter.phase("settings") as phase:
        deploy = load(_folder(context, request), environment)
        doubts = list(_doubts(deploy, environment))
        published = _published(context.podman, request.instance)
        wanted = request.hub_api or published.get(jupyterhub.API_PORT)
        hub_api, doubt = checked_hub_api(deploy.settings, environment, wanted)
        doubts += [doubt] if doubt else []
        for each in doubts:
            context.reporter.say(f"! {each}")
        asked = Port(container=proxy.PORT, host=request.port) if request.port else None
        for port, option in ((hub_api, "--publish"), (asked, "--port")):
            own = published.get(port.container) if port else None
            if port and here and (not own or own.host != port.host):
                require_free(port, option)
        phase.result(str(deploy.settings.source))
    return Plan(request=request, deploy=deploy, hub_api=hub_api, doubts=tuple(doubts))


def _doubts(deploy: Deploy, environment: Environment) -> Iterator[str]:
    """What is right by itself, and may not be what was meant."""
    folder = deploy.settings.source.parent
    for name in deploy.supplied.unused:
        yield f"{environment.name} does not use {folder / name}"
    tunnel = deploy.supplied.zenith_client_config
    brings = zenith_config.issuer_of(tunnel) if tunnel else ""
    if brings and deploy.settings.oidc_server and brings != deploy.settings.oidc_server:
        file = folder / zenith_config.FILE_NAME
        yield f"{file}: authOidcIssuer is not oidcServer, so the hub would refuse what the front door brings"


def site(context: Context, plan: Plan, built: ImageSet) -> Site:
    """All that the pod derives from; the port is the one asked for, else the instance's own, else a free one."""
    instance = plan.request.instance
    port = 0
    if instance.environment.ingress.publishes_port:
        port = plan.request.port or port_for(context.podman, instance, plan.hub_api)
    return Site(
        instance=instance,
        settings=plan.deploy.settings,
        credentials=credentials.load_or_create(context.workspace.credentials(instance)),
        images=built.images,
        sources=built.sources,
        volumes=context.workspace.project / "volumes",
        port=port,
        supplied=plan.deploy.supplied,
        hub_api=plan.hub_api,
    )


def port_for(podman: Podman, instance: Instance, hub_api: Port | None) -> int:
    """The port that the instance runs at, or ran at if it is free; else a free one."""
    states = podman.containers(instance.labels).values()
    own = _ports(states).get(proxy.PORT)
    if own and (any(state.state == "running" for state in states) or port_is_ours(own.host)):
        return own.host
    return choose_port({hub_api.host} if hub_api else ())


def _folder(context: Context, request: UpRequest) -> Path:
    """The deploy directory asked for, else the one in use, else the instance's own, made where that is possible."""
    instance = request.instance
    if request.deploy_dir:
        return request.deploy_dir
    labels = [volume.labels for volume in context.podman.volumes(instance.labels).values()]
    used = next((label[LABEL_DEPLOY_DIR] for label in labels if LABEL_DEPLOY_DIR in label), None)
    own = context.workspace.folder(instance)
    path = own / deploy_configmap.FILE_NAME
    if used or path.exists():
        return Path(used) if used else own
    if not deploy_configmap.can_be_invented(instance.environment):
        raise SettingsError(
            f"{instance.environment.name} needs settings that only a site can know",
            remedy=f"give the folder with your {deploy_configmap.FILE_NAME} with --deploy-dir; "
            f"examples/{instance.environment.name} has one to begin with",
        )
    deploy_configmap.write_example(path, instance.environment)
    return own


def _published(podman: Podman, instance: Instance) -> dict[int, Port]:
    """What the instance has published already, by port of the pod."""
    return _ports(podman.containers(instance.labels).values())


def _ports(states: Iterable[ContainerState]) -> dict[int, Port]:
    return {
        inside: Port(container=inside, host=host, host_ip=ip)
        for state in states
        for inside, (ip, host) in state.ports.items()
    }
