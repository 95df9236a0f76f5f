"""What the commands do, as a table of contents: the only place that plans and acts."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import assert_never

from hubpod import kube, kubernetes, seeding, settings, spawn_story
from hubpod.attack import Target as AttackTarget
from hubpod.attack import Verdict, cases, tried
from hubpod.build_times import BuildClock
from hubpod.building import build, planned
from hubpod.client import HubClient
from hubpod.components import slurm
from hubpod.components.assembly import pod_spec
from hubpod.context import Context
from hubpod.deployment import PortTakenError, bring_up
from hubpod.environments import Instance, Login
from hubpod.environments import Slurm as SlurmAxis
from hubpod.errors import UsageError
from hubpod.planning import check, credentials_folder, site
from hubpod.podman import Podman
from hubpod.probe import ProbeReport, Step, probe_session
from hubpod.removal import remove_pod
from hubpod.request import Person, Target, UpRequest
from hubpod.running import require_running
from hubpod.settings_table import SETTINGS
from hubpod.status import Status, status
from hubpod.timeline import Span

PORT_ATTEMPTS = 5
"""Instances that come up at the same time may choose the same port; all but one of them choose again."""


def up(context: Context, request: UpRequest, clock: BuildClock | None = None) -> Status:
    """Go from whatever there is to an instance in which a notebook can be spawned.

    Args:
        context: What commands work with.
        request: What a person asks for.
        clock: Notes how long the images take.

    Raises:
        HubpodError: One of its children, by what stands in the way; nothing half-made is left then.
    """
    with context.alone(request.instance):
        plan = check(context, request)
        built = build(context, request, clock=clock)
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            wanted = site(context, plan, built)
            try:
                bring_up(context, wanted, pod_spec(wanted), keep=request.keep)
                break
            except PortTakenError:
                if request.port or not attempts_left:
                    raise
        return status(context.podman, request.instance, waited=True)


def spawn(context: Context, person: Person, *, project: str | None, on_step: Callable[[Step], None]) -> ProbeReport:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, and see the job gone.

    Raises:
        UsageError: The environment's login wants something else than what was given, or the hub's address is unknown.
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
    client = HubClient(_address(instance, now, person.url))
    if by_token:
        login = partial(client.login_with_token, person.token)
    else:
        site_settings = settings.load(Path(now.deploy_dir) / settings.FILE_NAME, instance.environment)
        name = person.user or site_settings.dev_users[0].partition(".")[0]
        login = partial(client.login, name, site_settings["dummyAuthPassword"])
    return probe_session(login, project=project, on_step=on_step, job_gone=_job_gone(context.podman, instance))


def timeline(context: Context, instance: Instance, report: ProbeReport) -> tuple[Span, ...]:
    """Where the time of a spawn went that has just been made; asked soon, before Slurm forgets the job."""
    return spawn_story.told(context.podman, instance, report)


def attack(context: Context, instance: Instance, *, url: str) -> tuple[Verdict, ...]:
    """Try over HTTP what the instance's hub must refuse to a stranger.

    Raises:
        UsageError: The hub's address is unknown.
        NotRunningError: The instance is down.
        HubError: The hub does not answer.
    """
    now = require_running(context, instance)
    values = settings.load(Path(now.deploy_dir) / settings.FILE_NAME, instance.environment)
    target = _attacked(instance, _address(instance, now, url), values)
    return tuple(tried(target, case) for case in cases(target))


def _attacked(instance: Instance, url: str, values: settings.Settings) -> AttackTarget:
    """The hub with what its settings tell: what a token claims, and which password must not be the right one."""
    claims = {"iss": "oidcServer", "aud": "jwtAudience"}
    return AttackTarget(
        url=url,
        login=instance.environment.login,
        claims={name: values.values.get(key, "") for name, key in claims.items()} | {"short_name": "testuser"},
        password=values.values.get("dummyAuthPassword", ""),
        known_passwords=tuple(setting.example for setting in SETTINGS if setting.secret and setting.example),
    )


def _address(instance: Instance, now: Status, url: str) -> str:
    """Where a browser finds the hub: what was given, else what is published."""
    if not (url or now.url):
        raise UsageError(
            f"people come to {instance.environment.name} through the {instance.environment.ingress.value}",
            remedy="give the address at its other end with --url",
        )
    return (url or now.url).rstrip("/")


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


def manifest(context: Context, request: UpRequest, target: Target, *, secrets: bool = False) -> str:
    """The manifest that ``up`` would play now, or one for a cluster, without building or starting anything.

    What has not been cloned or built yet cannot be named by its content: its image has the tag ``unbuilt``.
    """
    with context.alone(request.instance):
        plan = check(context, request, here=target is Target.PODMAN)
        wanted = site(context, plan, planned(context, request))
        match target:
            case Target.PODMAN:
                return kube.manifest(pod_spec(wanted))
            case Target.KUBERNETES:
                digest_key = wanted.credentials.digest_key
                return kubernetes.manifest(pod_spec(wanted), digest_key=digest_key, secrets=secrets)
            case _:
                assert_never(target)


def down(context: Context, instance: Instance, *, volumes: bool) -> None:
    """Remove the instance's pod, and with ``volumes`` its volumes and generated credentials, too.

    Works from names and labels alone; what is not there is no error.
    """
    with context.alone(instance):
        with context.reporter.phase("pod removed"):
            remove_pod(context.podman, instance.resource)
        if volumes:
            with context.reporter.phase("volumes removed") as phase:
                names = list(context.podman.volumes(instance.labels))
                context.podman.remove_volumes(names)
                seeding.forget(context.workspace, instance)
                shutil.rmtree(credentials_folder(context.workspace, instance), ignore_errors=True)
                phase.result(str(len(names)))
