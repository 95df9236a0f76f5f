"""The prod.* commands: deploy releases, with a confirmation before anything is destroyed.

Each command imports what it needs when it runs, so that `invoke --list`, help texts and mistyped commands stay fast.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from hubpod.cli.options import (
    INSTANCE,
    BaseImage,
    Dry,
    FillVolumes,
    Follow,
    Grep,
    InstanceName,
    Json,
    Port,
    ProductionName,
    Publish,
    ReleaseSource,
    Since,
    SiteDeployDir,
    Tail,
    Target,
    WithSecrets,
    ZenithImage,
)
from hubpod.cli.reporting import INTERRUPTED_CLEAN, INTERRUPTED_UPGRADE, reporting_errors
from hubpod.components.assembly import container_names
from hubpod.environments import PRODUCTION_ENVIRONMENT, Stage
from hubpod.instances import Instance

if TYPE_CHECKING:
    from hubpod.request import UpRequest  # a slow import

CONTAINERS = container_names(Stage.PROD)


def check(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: SiteDeployDir = None,
    base: BaseImage = None,
    source: ReleaseSource = None,
    zenith_image: ZenithImage = None,
    json: Json = False,
) -> None:
    """Validate the deployment and probe the external services, without starting anything.

    The validation covers settings, keys, addresses and sources.
    """
    with reporting_errors():
        from hubpod.cli import console, output
        from hubpod.commands import production

        request = _parse(environment, instance, port, publish, deploy_dir, base, source, zenith_image)
        findings = production.check(console.quiet_context(request.instance), request)
        output.show_findings(findings, json=json)
        production.require_good(findings)


def up(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: SiteDeployDir = None,
    base: BaseImage = None,
    source: ReleaseSource = None,
    zenith_image: ZenithImage = None,
    json: Json = False,
    dry: Dry = False,
) -> None:
    """Bring production up, but leave a running pod that differs to prod.upgrade."""
    with reporting_errors(INTERRUPTED_CLEAN):
        from hubpod.cli import console, output
        from hubpod.commands import production

        request = _parse(environment, instance, port, publish, deploy_dir, base, source, zenith_image)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(request.instance, lambda context: dry_run.plan_production(context, request))
            return
        output.show_welcome(production.up(console.verbose_context(request.instance), request), json=json)


def upgrade(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: SiteDeployDir = None,
    base: BaseImage = None,
    source: ReleaseSource = None,
    zenith_image: ZenithImage = None,
    json: Json = False,
    dry: Dry = False,
) -> None:
    """Replace the running pod by new images and settings, while notebooks keep running.

    A failure is rolled back.
    """
    with reporting_errors(INTERRUPTED_UPGRADE):
        from hubpod.cli import console, output
        from hubpod.commands import production

        request = _parse(environment, instance, port, publish, deploy_dir, base, source, zenith_image)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(request.instance, lambda context: dry_run.plan_upgrade(context, request))
            return
        output.show_welcome(production.upgrade(console.verbose_context(request.instance), request), json=json)


def manifest(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: SiteDeployDir = None,
    base: BaseImage = None,
    source: ReleaseSource = None,
    zenith_image: ZenithImage = None,
    target: Target = None,
    with_secrets: WithSecrets = False,
    fill_volumes: FillVolumes = False,
) -> None:
    """Print the manifest that prod.up plays, or one for a cluster.

    The manifest contains secrets only with --with-secrets. With --fill-volumes `podman kube play` can start it.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands import manifest as command

        request = _parse(environment, instance, port, publish, deploy_dir, base, source, zenith_image)
        parsed = arguments.parse_target(target)
        if arguments.require_podman(parsed, fill_volumes=fill_volumes, with_secrets=with_secrets):
            sys.stdout.write(command.render_and_fill(console.verbose_context(request.instance), request))
        else:
            context = console.quiet_context(request.instance)
            sys.stdout.write(command.render(context, request, parsed, secrets=with_secrets))


def status(
    *, environment: ProductionName = PRODUCTION_ENVIRONMENT, instance: InstanceName = INSTANCE, json: Json = False
) -> None:
    """Print whether production is ready, starting, degraded or down."""
    with reporting_errors():
        from hubpod.cli import console, output
        from hubpod.commands import inspect as command

        found = _parse_instance(environment, instance)
        context = console.quiet_context(found, named=json)
        output.show_status(command.status(context, found), json=json)
        output.show_damage(context, found)


def logs(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    container: Annotated[str | None, f"only this container: {CONTAINERS}"] = None,
    follow: Follow = False,
    tail: Tail = None,
    since: Since = None,
    grep: Grep = None,
) -> None:
    """Print the logs of the containers in the order of time."""
    with reporting_errors(is_end=follow):
        from hubpod.cli import console
        from hubpod.cli.logs import make_printer, parse_log_request
        from hubpod.commands.logs import show_logs

        found = _parse_instance(environment, instance)
        request = parse_log_request(container, since, tail, grep)
        show_logs(console.quiet_context(found), found, request, make_printer(found), follow=follow)


def down(
    *,
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    volumes: Annotated[bool, "also remove the volumes: the hub's database and credentials"] = False,
    yes: Annotated[bool, "remove without confirmation"] = False,
    dry: Dry = False,
) -> None:
    """Remove the pod after a confirmation, but keep the hub's database unless --volumes is given."""
    with reporting_errors():
        from hubpod.cli import console
        from hubpod.cli.confirmation import confirm
        from hubpod.commands import down as command

        found = _parse_instance(environment, instance)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(found, lambda context: dry_run.plan_down(context, found, volumes=volumes))
            return
        what = f"{found.resource} with its volumes: the hub's database and credentials" if volumes else found.resource
        console.name_instance(found)
        if yes or confirm(f"Remove {what}?"):
            command.down(console.verbose_context(found, named=False), found, volumes=volumes)
        else:
            console.out.print("nothing was removed")


def volumes(
    *,
    action: Annotated[str, "list, export, import or reset"],
    environment: ProductionName = PRODUCTION_ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    name: Annotated[str, "volume as list prints it; reset also takes `all`"] = "",
    file: Annotated[str, "tar archive to write or read"] = "",
    json: Json = False,
    dry: Dry = False,
    yes: Annotated[bool, "import or reset without confirmation"] = False,
) -> None:
    """List or export volumes or, after a confirmation, import or reset data."""
    with reporting_errors():
        from hubpod.cli import volumes as command

        found = _parse_instance(environment, instance)
        command.manage_volumes(found, action, name=name, file=file, json=json, dry=dry, yes=yes)


def systemd(*, environment: ProductionName = PRODUCTION_ENVIRONMENT, instance: InstanceName = INSTANCE) -> None:
    """Print a systemd unit that starts the pod at boot, and where to install it."""
    with reporting_errors():
        from hubpod.cli import console
        from hubpod.commands import production

        found = _parse_instance(environment, instance)
        sys.stdout.write(production.unit(console.quiet_context(found), found))


def _parse_instance(environment: str, instance: str) -> Instance:
    from hubpod.cli import arguments

    return arguments.parse_instance(environment, instance, Stage.PROD)


def _parse(  # noqa: PLR0917 - the options that most commands share, in their order
    environment: str,
    instance: str,
    port: str | None,
    publish: str | None,
    deploy_dir: str | None,
    base: str | None,
    source: Sequence[str] | None,
    zenith_image: str | None,
) -> "UpRequest":
    from hubpod.cli import arguments

    return arguments.parse_request(
        _parse_instance(environment, instance),
        port=port,
        publish=publish,
        deploy_dir=deploy_dir,
        base=base,
        source=source,
        zenith_image=zenith_image,
    )
