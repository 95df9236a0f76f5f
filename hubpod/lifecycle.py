"""What the commands do, as a table of contents: the only place that plans and acts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hubpod import base_image, credentials, doctor, images, kube, settings, sources
from hubpod.base_image import REPOSITORY, BaseFrom
from hubpod.client import HubClient
from hubpod.components import slurm
from hubpod.components.assembly import pod_spec
from hubpod.components.parts import Site
from hubpod.context import Context, full_disk_told, side_by_side
from hubpod.deployment import is_running, replace, wait
from hubpod.environments import Instance, require_deployable
from hubpod.environments import Slurm as SlurmAxis
from hubpod.errors import MachineError
from hubpod.origins import Origin
from hubpod.podman import Podman
from hubpod.probe import ProbeReport, Step, spawn_probe
from hubpod.progress import Reporter
from hubpod.running import require_running
from hubpod.settings import Settings
from hubpod.sources import Checkout
from hubpod.status import Status, status
from hubpod.workspace import Workspace, choose_port, port_is_free

IMAGES = ("jupyterhub", "slurm")


@dataclass(frozen=True, kw_only=True)
class UpRequest:
    """What a person asks of ``up``.

    Attributes:
        instance: Which instance.
        deploy_dir: Folder with the deploy ConfigMap; the instance's own when None.
        port: Published port; chosen when None.
        base: Where the base image comes from.
        origins: Sources that come from elsewhere, by name.
        keep: Leave what was started when it does not become ready.
    """

    instance: Instance
    deploy_dir: Path | None = None
    port: int | None = None
    base: BaseFrom = BaseFrom.AUTO
    origins: Mapping[str, Origin] = field(default_factory=dict)
    keep: bool = False


def up(context: Context, request: UpRequest) -> Status:
    """Go from whatever there is to an instance in which a notebook can be spawned.

    Raises:
        HubpodError: One of its children, by what stands in the way; nothing half-made is left then.
    """
    instance = request.instance
    require_deployable(instance.environment)
    with context.alone(instance):
        with context.reporter.phase("settings") as phase:
            site_settings = _settings(context.workspace, request)
            port = _port(context.podman, request)
            phase.result(str(site_settings.source))
        references = build(context, request)
        site = _site(context.workspace, instance, site_settings, references, port)
        spec = pod_spec(site)
        if is_running(context.podman, site, spec):
            context.reporter.say("  nothing changed: the pod runs as it is")
            wait(context, site, spec)
        else:
            replace(context, site, spec, keep=request.keep)
        return status(context.podman, instance)


def build(context: Context, request: UpRequest) -> dict[str, str]:
    """Have the sources, the base image and the images of an environment; return the images' references by name.

    Raises:
        SourceError: A clone cannot be made.
        BuildError: An image cannot be made.
        MachineError: The disk is full.
    """
    require_deployable(request.instance.environment)
    workspace, podman = context.workspace, context.podman
    with workspace.lock("build", context.reporter.say), full_disk_told(workspace):
        checkouts = clone(workspace, context.reporter, request.origins)
        with context.reporter.phase("base image") as phase:
            reference = base_image.ensure_base(podman, workspace.project, workspace.state, request.base, phase.detail)
            phase.result(reference)
        base_id = podman.image_id(reference) or reference
        stage = request.instance.environment.stage
        plans = [images.plan_build(workspace.project, name, stage, base_id, checkouts) for name in IMAGES]
        missing = [plan for plan in plans if not podman.image_id(plan.reference)]
        if missing:
            for finding in doctor.before_build(podman):
                context.reporter.say(f"! {finding.text}; {finding.remedy}")
            side_by_side([_builder(context, plan) for plan in missing])
            # Not beside a build: what is removed may be what the other one takes from its cache.
            for plan in missing:
                images.prune(podman, plan)
        else:
            context.reporter.say("  images: nothing changed")
        return {plan.name: plan.reference for plan in plans}


def clone(workspace: Workspace, reporter: Reporter, origins: Mapping[str, Origin]) -> tuple[Checkout, ...]:
    """Have a checkout of every source, and tell in which state each is.

    Raises:
        SourceError: A clone cannot be made, or what stands in its place is not one.
    """
    with reporter.phase("sources") as phase:
        checkouts = sources.ensure(workspace.project, origins)
        phase.result(", ".join(f"{checkout.source.name} {checkout.status}" for checkout in checkouts))
        return checkouts


def spawn(
    context: Context, instance: Instance, *, user: str | None, project: str | None, on_step: Callable[[Step], None]
) -> ProbeReport:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, and see the job gone.

    Raises:
        NotRunningError: The instance is down.
        ProbeError: A step failed.
    """
    now = require_running(context, instance)
    site_settings = settings.load(Path(now.deploy_dir) / settings.FILE_NAME, instance.environment)
    return spawn_probe(
        HubClient(now.url),
        user or site_settings.dev_users[0].partition(".")[0],
        site_settings["dummyAuthPassword"],
        project,
        on_step=on_step,
        job_gone=_job_gone(context.podman, instance),
    )


def _job_gone(podman: Podman, instance: Instance) -> Callable[[str], bool] | None:
    """How to see in Slurm itself that a job has ended; None where Slurm is not ours to ask."""
    if instance.environment.slurm is not SlurmAxis.POD:
        return None
    container = f"{instance.resource}-{slurm.NAME}"
    return lambda job: not podman.execute(container, ["squeue", "--noheader", f"--jobs={job}"]).stdout.strip()


def manifest(workspace: Workspace, request: UpRequest) -> str:
    """The manifest that ``up`` would play, without building or starting anything."""
    require_deployable(request.instance.environment)
    site_settings = _settings(workspace, request)
    references = {name: f"{REPOSITORY}/{name}:{request.instance.environment.stage.value}" for name in IMAGES}
    port = request.port or choose_port()
    return kube.manifest(pod_spec(_site(workspace, request.instance, site_settings, references, port)))


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove the instance's pod, and with ``volumes`` its volumes, too.

    Works from names and labels alone; what is not there is no error.
    """
    with context.alone(instance):
        with context.reporter.phase("pod removed"):
            context.podman.remove_pod(instance.resource)
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                names = list(context.podman.volumes(instance.labels))
                context.podman.remove_volumes(names)
                phase.result(str(len(names)))


def _builder(context: Context, plan: images.Build) -> Callable[[], None]:
    def build_one() -> None:
        with context.reporter.phase(f"{plan.name} image") as phase:
            images.build(context.podman, context.workspace.project, plan, phase.detail)
            phase.result(plan.reference)

    return build_one


def _settings(workspace: Workspace, request: UpRequest) -> Settings:
    path = workspace.deploy_configmap(request.instance, request.deploy_dir)
    if request.deploy_dir is None and not path.exists():
        settings.write_example(path, request.instance.environment)
    return settings.load(path, request.instance.environment)


def _port(podman: Podman, request: UpRequest) -> int:
    """The port asked for, else the one that the instance has already, else a free one."""
    states = podman.containers(request.instance.labels).values()
    own = next((host for state in states for _, host in state.ports.values()), None)
    if request.port is None:
        return own or choose_port()
    if request.port != own and not port_is_free(request.port):
        raise MachineError(
            f"port {request.port} of 127.0.0.1 is taken", remedy="leave out --port to have a free one chosen"
        )
    return request.port


def _site(
    workspace: Workspace, instance: Instance, site_settings: Settings, references: Mapping[str, str], port: int
) -> Site:
    return Site(
        instance=instance,
        settings=site_settings,
        credentials=credentials.load_or_create(workspace.folder(instance) / "credentials"),
        images=references,
        volumes=workspace.project / "volumes",
        port=port,
    )
