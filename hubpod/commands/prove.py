"""`spawn`: prove that a user gets a notebook."""

from collections.abc import Callable
from functools import partial

from hubpod.client import HubClient
from hubpod.commands.inspect import read_settings, require_running
from hubpod.components import slurm
from hubpod.components.assembly import podman_name
from hubpod.context import Context
from hubpod.deployment.status import Status
from hubpod.errors import UsageError, nearest
from hubpod.instances import Instance
from hubpod.podman.cli import Podman
from hubpod.probe import spawn_timeline
from hubpod.probe.spawn import ProbeReport, Step, probe_session
from hubpod.probe.timeline import Span
from hubpod.request import SpawnRequest
from hubpod.settings.deploy_configmap import Settings


def spawn(
    context: Context, request: SpawnRequest, *, project: str | None, on_step: Callable[[Step], None]
) -> ProbeReport:
    """Spawn a server as a user, run code in it, stop it, and wait until its job is gone.

    Raises:
        UsageError: The credentials do not fit the environment's login, or the hub's address is not known.
        NotRunningError: The instance is down.
        ProbeError: A step failed.
    """
    instance = request.instance
    by_token = instance.environment.login.uses_token
    if by_token is not bool(request.token):
        way = "a token, as from the front door" if by_token else "a name and the password of the deploy ConfigMap"
        remedy = "give it with --token-file FILE" if by_token else "leave out --token-file"
        raise UsageError(f"users log in to {instance.environment.name} with {way}", remedy=remedy)
    status = require_running(context, instance)
    client = HubClient(hub_address(instance, status, request.url))
    if by_token:
        login = partial(client.login_with_token, request.token)
    else:
        site_settings = read_settings(instance, status)
        name = request.user or site_settings.dev_users[0].user
        require_user(name, site_settings)
        login = partial(client.login, name, site_settings.dummy_auth_password)
    return probe_session(login, project=project, on_step=on_step, job_gone=_job_gone(context.podman, instance))


def require_user(name: str, settings: Settings) -> None:
    """Check that a name is one of devUsers, because the login form takes every other name for the first of them.

    Raises:
        UsageError: It is not.
    """
    users = tuple(dict.fromkeys(account.user for account in settings.dev_users))
    if name not in users:
        problem = f"--user {name}: devUsers of {settings.source} does not have this user{nearest(name, users)}"
        raise UsageError(problem, remedy=f"users: {', '.join(users)}")


def timeline(context: Context, instance: Instance, report: ProbeReport) -> tuple[Span, ...]:
    """Return the stages of a spawn that has just ended.

    Slurm forgets the job after some minutes (MinJobAge).
    """
    return spawn_timeline.collect_stages(context.podman, instance, report)


def hub_address(instance: Instance, status: Status, url: str) -> str:
    """Return the address of the hub: the given one, else the published one.

    Raises:
        UsageError: Neither exists.
    """
    if not (url or status.url):
        raise UsageError(
            f"browsers reach {instance.environment.name} through the {instance.environment.ingress.value}",
            remedy="give the address at the other end of it with --url",
        )
    return (url or status.url).rstrip("/")


def _job_gone(podman: Podman, instance: Instance) -> Callable[[str], bool] | None:
    """Return a function that checks whether a job is gone, or None if Slurm is not in the pod."""
    if not instance.environment.slurm.in_pod:
        return None
    container = podman_name(instance, slurm.NAME)

    def gone(job: str) -> bool:
        result = podman.execute(container, ["squeue", "--noheader", f"--jobs={job}"])
        # Without an answer of Slurm, the job may still run.
        return not result.stdout.strip() if result.ok else "Invalid job id" in result.stderr

    return gone
