"""Spawn a notebook on an instance as a user does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hubpod.client import HubClient
from hubpod.commands.inspect import require_running
from hubpod.components import slurm
from hubpod.context import Context
from hubpod.deployment.status import Status
from hubpod.environments import Instance
from hubpod.errors import UsageError
from hubpod.podman.cli import Podman
from hubpod.probe import spawn_timeline
from hubpod.probe.spawn import ProbeReport, Step, probe_session
from hubpod.probe.timeline import Span
from hubpod.request import Person
from hubpod.settings import deploy_configmap


def spawn(context: Context, person: Person, *, project: str | None, on_step: Callable[[Step], None]) -> ProbeReport:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, and see the job gone.

    Raises:
        UsageError: The environment's login wants something else than what was given, or the hub's address is unknown.
        NotRunningError: The instance is down.
        ProbeError: A step failed.
    """
    instance = person.instance
    by_token = instance.environment.login.uses_token
    if by_token is not bool(person.token):
        way = "a token, as from the front door" if by_token else "a name and the password of the deploy ConfigMap"
        remedy = "give it with --token-file FILE" if by_token else "leave out --token-file"
        raise UsageError(f"people log in to {instance.environment.name} with {way}", remedy=remedy)
    now = require_running(context, instance)
    client = HubClient(hub_address(instance, now, person.url))
    if by_token:
        login = partial(client.login_with_token, person.token)
    else:
        site_settings = deploy_configmap.load(Path(now.deploy_dir) / deploy_configmap.FILE_NAME, instance.environment)
        name = person.user or site_settings.dev_users[0].user
        login = partial(client.login, name, site_settings.dummy_auth_password)
    return probe_session(login, project=project, on_step=on_step, job_gone=_job_gone(context.podman, instance))


def timeline(context: Context, instance: Instance, report: ProbeReport) -> tuple[Span, ...]:
    """Where the time of a spawn went that has just been made; asked soon, before Slurm forgets the job."""
    return spawn_timeline.collect_stages(context.podman, instance, report)


def hub_address(instance: Instance, now: Status, url: str) -> str:
    """Where a browser finds the hub: what was given, else what is published."""
    if not (url or now.url):
        raise UsageError(
            f"people come to {instance.environment.name} through the {instance.environment.ingress.value}",
            remedy="give the address at its other end with --url",
        )
    return (url or now.url).rstrip("/")


def _job_gone(podman: Podman, instance: Instance) -> Callable[[str], bool] | None:
    """How to see in Slurm itself that a job has ended; None where Slurm is not ours to ask."""
    if not instance.environment.slurm.in_pod:
        return None
    container = f"{instance.resource}-{slurm.NAME}"

    def gone(job: str) -> bool:
        result = podman.execute(container, ["squeue", "--noheader", f"--jobs={job}"])
        # A Slurm that does not answer has not said that the job is gone.
        return not result.stdout.strip() if result.ok else "Invalid job id" in result.stderr

    return gone
