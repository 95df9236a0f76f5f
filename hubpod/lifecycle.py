"""What the commands do, as a table of contents: the only place that plans and acts."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hubpod import credentials, kube, settings
from hubpod.building import build, planned_references
from hubpod.client import HubClient
from hubpod.components import slurm
from hubpod.components.assembly import pod_spec
from hubpod.components.parts import Site
from hubpod.context import Context
from hubpod.deployment import PortTakenError, is_running, replace, seeding_note, wait
from hubpod.environments import Instance, Login, require_deployable
from hubpod.environments import Slurm as SlurmAxis
from hubpod.errors import MachineError, UsageError
from hubpod.podman import Podman
from hubpod.probe import ProbeReport, Step, probe_session
from hubpod.request import Person, UpRequest
from hubpod.running import require_running
from hubpod.settings import Settings
from hubpod.status import DEPLOY_DIR, Status, status
from hubpod.workspace import choose_port, port_is_free

PORT_ATTEMPTS = 5
"""Instances that come up at the same time may choose the same port; all but one of them choose again."""


def up(context: Context, request: UpRequest) -> Status:
    """Go from whatever there is to an instance in which a notebook can be spawned.

    Raises:
        HubpodError: One of its children, by what stands in the way; nothing half-made is left then.
    """
    instance = request.instance
    require_deployable(instance.environment)
    with context.alone(instance):
        with context.reporter.phase("settings") as phase:
            site_settings = _settings(context, request)
            _require_free(context.podman, request)
            phase.result(str(site_settings.source))
        references = build(context, request)
        _bring_up(context, request, site_settings, references)
        return status(context.podman, instance)


def _bring_up(context: Context, request: UpRequest, site_settings: Settings, references: Mapping[str, str]) -> None:
    """Make the pod what it should be; choose another port when somebody took the chosen one."""
    for attempts_left in reversed(range(PORT_ATTEMPTS)):
        site = _site(context, request, site_settings, references)
        spec = pod_spec(site)
        if is_running(context.podman, site, spec):
            context.reporter.say("  nothing changed: the pod runs as it is")
            wait(context, site, spec)
            return
        try:
            replace(context, site, spec, keep=request.keep)
        except PortTakenError:
            if request.port or not attempts_left:
                raise
        else:
            return


def spawn(context: Context, person: Person, *, project: str | None, on_step: Callable[[Step], None]) -> ProbeReport:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, and see the job gone.

    Raises:
        UsageError: The environment's login wants something else than what was given.
        NotRunningError: The instance is down.
        ProbeError: A step failed.
    """
    instance = person.instance
    by_token = instance.environment.login is Login.JWT
    if by_token is not bool(person.token):
        way = "a token, as from the front door" if by_token else "a name and the password of the deploy ConfigMap"
        remedy = "give it with --token-file FILE" if by_token else "leave out --token-file"
        raise UsageError(f"people log in to {instance.environment.name} with {way}", remedy=remedy)
    now = require_running(context, instance)
    client = HubClient(now.url)
    if by_token:
        login = partial(client.login_with_token, person.token)
    else:
        site_settings = settings.load(Path(now.deploy_dir) / settings.FILE_NAME, instance.environment)
        name = person.user or site_settings.dev_users[0].partition(".")[0]
        login = partial(client.login, name, site_settings["dummyAuthPassword"])
    return probe_session(login, project=project, on_step=on_step, job_gone=_job_gone(context.podman, instance))


def _job_gone(podman: Podman, instance: Instance) -> Callable[[str], bool] | None:
    """How to see in Slurm itself that a job has ended; None where Slurm is not ours to ask."""
    if instance.environment.slurm is not SlurmAxis.POD:
        return None
    container = f"{instance.resource}-{slurm.NAME}"

    def gone(job: str) -> bool:
        result = podman.execute(container, ["squeue", "--noheader", f"--jobs={job}"])
        # A Slurm that does not answer has not said that the job is gone.
        return not result.stdout.strip() if result.ok else "Invalid job id" in result.stderr

    return gone


def manifest(context: Context, request: UpRequest) -> str:
    """The manifest that ``up`` would play now, without building or starting anything.

    What has not been cloned or built yet cannot be named by its content: its image has the tag ``unbuilt``.
    """
    require_deployable(request.instance.environment)
    with context.alone(request.instance):
        site_settings = _settings(context, request)
        _require_free(context.podman, request)
        references = planned_references(context, request)
        return kube.manifest(pod_spec(_site(context, request, site_settings, references)))


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove the instance's pod, and with ``volumes`` its volumes and generated credentials, too.

    Works from names and labels alone; what is not there is no error.
    """
    with context.alone(instance):
        with context.reporter.phase("pod removed"):
            context.podman.remove_pod(instance.resource)
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                names = list(context.podman.volumes(instance.labels))
                context.podman.remove_volumes(names)
                seeding_note(context.workspace, instance).unlink(missing_ok=True)
                shutil.rmtree(_credentials(context, instance), ignore_errors=True)
                phase.result(str(len(names)))


def _settings(context: Context, request: UpRequest) -> Settings:
    """The settings of the deploy directory asked for, else of the one in use, else of the instance's own."""
    instance = request.instance
    labels = [volume.labels for volume in context.podman.volumes(instance.labels).values()]
    used = next((label[DEPLOY_DIR] for label in labels if DEPLOY_DIR in label), None)
    own = context.workspace.folder(instance)
    folder = request.deploy_dir or (Path(used) if used else own)
    path = folder / settings.FILE_NAME
    if folder == own and not path.exists():
        settings.write_example(path, instance.environment)
    return settings.load(path, instance.environment)


def _own_port(podman: Podman, instance: Instance) -> int | None:
    states = podman.containers(instance.labels).values()
    return next((host for state in states for _, host in state.ports.values()), None)


def _credentials(context: Context, instance: Instance) -> Path:
    return context.workspace.folder(instance) / "credentials"


def _require_free(podman: Podman, request: UpRequest) -> None:
    """Refuse a port that somebody else has, before anything is built."""
    if request.port and request.port != _own_port(podman, request.instance) and not port_is_free(request.port):
        raise MachineError(
            f"port {request.port} of 127.0.0.1 is taken", remedy="leave out --port to have a free one chosen"
        )


def _site(context: Context, request: UpRequest, site_settings: Settings, references: Mapping[str, str]) -> Site:
    """All that the pod derives from; the port is the one asked for, else the instance's own, else a free one."""
    instance = request.instance
    return Site(
        instance=instance,
        settings=site_settings,
        credentials=credentials.load_or_create(_credentials(context, instance)),
        images=references,
        volumes=context.workspace.project / "volumes",
        port=request.port or _own_port(context.podman, instance) or choose_port(),
    )
