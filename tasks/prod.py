"""Production: deployed for real, from releases, with a question before anything is destroyed."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from invoke.context import Context as InvokeContext
from invoke.tasks import task

from hubpod.environments import Instance, Stage
from hubpod.errors import UsageError
from tasks import doing
from tasks.options import BUILD_HELP, INSTANCE, INSTANCE_HELP, PLAN_HELP, PRODUCTION
from tasks.shell import INTERRUPTED, INTERRUPTED_CLEAN, told
from tasks.watching import logs_task, status_task

if TYPE_CHECKING:
    from hubpod.request import UpRequest  # imported when a command needs it, as doing.py tells

HELP = {"environment": f"environment to work on (default {PRODUCTION})", **INSTANCE_HELP}
UP_HELP = {
    **HELP,
    **PLAN_HELP,
    "deploy_dir": "folder with your settings and keys; needed the first time",
    "base": BUILD_HELP["base"],
    "source": "NAME=URL@REF to take a source's release from elsewhere: a tag or a whole commit; may be repeated",
}


def _instance(environment: str, instance: str) -> Instance:
    return doing.given.instance_of(environment, instance, Stage.PROD)


def _request_task(interrupted: str = INTERRUPTED) -> Callable[[Callable[["UpRequest"], None]], Any]:
    """Make a task of what does something with a request, with an option for each part of that.

    Args:
        interrupted: What a person is told who interrupts it.
    """

    def as_task(act: Callable[["UpRequest"], None]) -> Any:  # noqa: ANN401 - invoke's Task is generic over its body
        def body(  # noqa: PLR0913, PLR0917 - options for a person
            _: InvokeContext,
            environment: str = PRODUCTION,
            instance: str = INSTANCE,
            port: str | None = None,
            publish: str | None = None,
            deploy_dir: str | None = None,
            base: str | None = None,
            source: Sequence[str] | None = None,
            zenith_image: str | None = None,
        ) -> None:
            with told(interrupted):
                act(
                    doing.given.request_of(
                        _instance(environment, instance),
                        port=port,
                        publish=publish,
                        deploy_dir=deploy_dir,
                        base=base,
                        source=source,
                        zenith_image=zenith_image,
                    )
                )

        body.__doc__ = act.__doc__
        return task(body, name=act.__name__, help=UP_HELP, iterable=["source"])

    return as_task


@_request_task()
def check(request: "UpRequest") -> None:
    """Validate settings, keys, addresses and sources, and see whether the neighbours answer; nothing is started."""
    doing.shown.show_findings(doing.production.check(doing.console.quiet(), request))


@_request_task(INTERRUPTED_CLEAN)
def up(request: "UpRequest") -> None:
    """Bring production up; one that runs already and would change is left to prod.upgrade."""
    doing.shown.show_welcome(doing.production.up(doing.console.loud(), request))


@_request_task("interrupted; what ran before runs again")
def upgrade(request: "UpRequest") -> None:
    """Replace what runs by new images and settings; notebooks go on, and a failure brings back what ran before."""
    doing.shown.show_welcome(doing.production.upgrade(doing.console.loud(), request))


@task(
    help={
        **UP_HELP,
        "target": "podman, which prod.up plays, or kubernetes, for a cluster",
        "with_secrets": "for a cluster, print Secrets with their values, too",
    },
    iterable=["source"],
)
def manifest(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str | None = None,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
    target: str | None = None,
    with_secrets: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Print the manifest that prod.up plays, or one for a cluster; it is secret only with --with-secrets."""
    with told():
        request = doing.given.request_of(
            _instance(environment, instance),
            port=port,
            publish=publish,
            deploy_dir=deploy_dir,
            base=base,
            source=source,
            zenith_image=zenith_image,
        )
        wanted = doing.given.target_of(target)
        sys.stdout.write(doing.manifest.render(doing.console.quiet(), request, wanted, secrets=with_secrets))


status = status_task(Stage.PROD, PRODUCTION, HELP, "Tell whether production is ready, starting, degraded or down.")
logs = logs_task(Stage.PROD, PRODUCTION, HELP, "jupyterhub, proxy or zenith")


@task(
    help={
        **HELP,
        "volumes": "remove its volumes, too: the hub's database and credentials",
        "yes": "do not ask",
    }
)
def down(
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    volumes: bool = False,  # noqa: FBT001, FBT002 - a flag
    yes: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Remove the pod, after a question; the hub's database is kept unless --volumes is given."""
    with told():
        found = _instance(environment, instance)
        what = f"{found.resource} with its volumes: the hub's database and credentials" if volumes else found.resource
        if yes or _agreed(f"Remove {what}?"):
            doing.down.down(doing.console.loud(), found, volumes=volumes)
        else:
            doing.console.out.print("nothing was removed")


@task(help=HELP)
def systemd(_: InvokeContext, environment: str = PRODUCTION, instance: str = INSTANCE) -> None:
    """Print a systemd unit that starts the pod at boot; its first lines say where it goes."""
    with told():
        found = _instance(environment, instance)
        sys.stdout.write(doing.production.unit(doing.console.quiet(), found))


def _agreed(question: str) -> bool:
    """Whether a person says yes; where nobody can be asked, the option has to say so.

    Raises:
        UsageError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is nobody to ask", remedy="add --yes")
    doing.console.err.print(f"{question} [y/N] ", end="", markup=False, soft_wrap=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
