"""Production: deployed for real, from releases, with a question before anything is destroyed."""

import sys
from collections.abc import Sequence

from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task
from rich.text import Text

from hubpod import lifecycle, production, running
from hubpod.base_image import BaseFrom
from hubpod.environments import Instance, Stage
from hubpod.errors import UsageError
from hubpod.request import Target, UpRequest
from hubpod.status import status as status_of
from tasks import shown
from tasks.options import (
    BUILD_HELP,
    INSTANCE,
    INSTANCE_HELP,
    PLAN_HELP,
    PRODUCTION,
    instance_of,
    request_of,
    target_of,
)
from tasks.shell import INTERRUPTED_CLEAN, err, loud, out, quiet, told

HELP = {"environment": f"environment to work on (default {PRODUCTION})", **INSTANCE_HELP}
UP_HELP = {
    **HELP,
    **PLAN_HELP,
    "deploy_dir": "folder with your settings and keys; needed the first time",
    "base": BUILD_HELP["base"],
    "source": "NAME=URL@REF to take a source's release from elsewhere: a tag or a whole commit; may be repeated",
}


def _instance(environment: str, instance: str) -> Instance:
    return instance_of(environment, instance, Stage.PROD)


@task(help=UP_HELP, iterable=["source"])
def check(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
) -> None:
    """Validate settings, keys, addresses and sources, and see whether the neighbours answer; nothing is started."""
    with told():
        found = _instance(environment, instance)
        request = _request(found, port, publish, deploy_dir, base, source, zenith_image)
        shown.show_findings(production.check(quiet(), request))


@task(help=UP_HELP, iterable=["source"])
def up(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
) -> None:
    """Bring production up; one that runs already and would change is left to prod.upgrade."""
    with told(INTERRUPTED_CLEAN):
        found = _instance(environment, instance)
        request = _request(found, port, publish, deploy_dir, base, source, zenith_image)
        shown.show_welcome(production.up(loud(), request), found)


@task(help=UP_HELP, iterable=["source"])
def upgrade(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
) -> None:
    """Replace what runs by new images and settings; notebooks go on, and a failure brings back what ran before."""
    with told("interrupted; what ran before runs again"):
        found = _instance(environment, instance)
        request = _request(found, port, publish, deploy_dir, base, source, zenith_image)
        shown.show_welcome(production.upgrade(loud(), request), found)


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
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,
    zenith_image: str | None = None,
    target: str = Target.PODMAN.value,
    with_secrets: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Print the manifest that prod.up plays, or one for a cluster; it is secret only with --with-secrets."""
    with told():
        found = _instance(environment, instance)
        request = _request(found, port, publish, deploy_dir, base, source, zenith_image)
        wanted = target_of(target)
        sys.stdout.write(lifecycle.manifest(quiet(), request, wanted, secrets=with_secrets))


@task(help={**HELP, "json": "print it as JSON"})
def status(
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Tell whether production is ready, starting, degraded or down."""
    with told():
        found = _instance(environment, instance)
        now = status_of(quiet().podman, found)
        if json:
            shown.show_json(now.as_dict())
        else:
            shown.show_status(now)


@task(
    help={
        **HELP,
        "container": "only this one: jupyterhub, proxy or zenith",
        "follow": "go on until interrupted",
        "tail": "only this many lines from the end of each",
    }
)
def logs(
    _: InvokeContext,
    environment: str = PRODUCTION,
    instance: str = INSTANCE,
    container: str | None = None,
    follow: bool = False,  # noqa: FBT001, FBT002 - a flag
    tail: str | None = None,
) -> None:
    """Show what the containers wrote."""
    with told():
        if tail is not None and not tail.isdecimal():
            raise UsageError(f"--tail {tail}: must be a number of lines")
        found = _instance(environment, instance)
        code = running.logs(quiet(), found, container, tail, follow=follow)
    raise Exit(code=code)


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
            lifecycle.down(loud(), found, volumes=volumes)
        else:
            out.print("nothing was removed")


@task(help=HELP)
def systemd(_: InvokeContext, environment: str = PRODUCTION, instance: str = INSTANCE) -> None:
    """Print a systemd unit that starts the pod at boot; its first lines say where it goes."""
    with told():
        found = _instance(environment, instance)
        sys.stdout.write(production.unit(quiet(), found))


def _agreed(question: str) -> bool:
    """Whether a person says yes; where nobody can be asked, the option has to say so.

    Raises:
        UsageError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is nobody to ask", remedy="add --yes")
    err.print(Text(f"{question} [y/N] "), end="", soft_wrap=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _request(  # noqa: PLR0913, PLR0917 - the options of prod.up
    instance: Instance,
    port: str | None,
    publish: str | None,
    deploy_dir: str | None,
    base: str,
    source: Sequence[str] | None,
    zenith_image: str | None,
) -> UpRequest:
    return request_of(
        instance,
        port=port,
        publish=publish,
        deploy_dir=deploy_dir,
        base=base,
        source=source,
        zenith_image=zenith_image,
    )
