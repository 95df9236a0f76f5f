"""The dev.* commands: create, edit and test development instances.

Each command imports what it needs when it runs, so that `invoke --list`, help texts and mistyped commands stay fast.
"""

import sys
from typing import Annotated

from hubpod.cli.options import (
    ENVIRONMENT,
    INSTANCE,
    BaseImage,
    DeployDir,
    Dry,
    EnvironmentName,
    FillVolumes,
    Follow,
    Grep,
    HubUrl,
    InstanceName,
    Json,
    Keep,
    Port,
    Publish,
    Since,
    Source,
    Tail,
    Target,
    WithSecrets,
    ZenithImage,
)
from hubpod.cli.reporting import INTERRUPTED_CLEAN, INTERRUPTED_KEPT, INTERRUPTED_WATCH, reporting_errors
from hubpod.components.assembly import container_names
from hubpod.environments import Stage
from hubpod.errors import MachineError

CONTAINERS = container_names(Stage.DEV)


def up(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: DeployDir = None,
    base: BaseImage = None,
    source: Source = None,
    zenith_image: ZenithImage = None,
    keep: Keep = False,
    json: Json = False,
    dry: Dry = False,
) -> None:
    """Bring an instance up until a notebook can be spawned.

    A second call changes only the differences.
    """
    with reporting_errors(INTERRUPTED_KEPT if keep else INTERRUPTED_CLEAN):
        from hubpod.cli import arguments, console, output
        from hubpod.commands import up as command

        request = arguments.parse_request(
            arguments.parse_instance(environment, instance),
            port=port,
            publish=publish,
            deploy_dir=deploy_dir,
            base=base,
            source=source,
            zenith_image=zenith_image,
            keep=keep,
        )
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(request.instance, lambda context: dry_run.plan_up(context, request))
            return
        output.show_welcome(command.up(console.verbose_context(request.instance), request), json=json)


def reload(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    source: Source = None,
    dry: Dry = False,
) -> None:
    """Apply edits to the running pod, while notebooks keep running.

    If the hub fails, the edit is rolled back and the error is printed.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands import reload as command

        request = arguments.parse_request(arguments.parse_instance(environment, instance), source=source)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(request.instance, lambda context: dry_run.plan_reload(context, request))
        else:
            command.reload(console.verbose_context(request.instance), request)


def watch(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    source: Source = None,
    spawn: Annotated[bool, "spawn a notebook after each reload"] = False,
    user: Annotated[
        str | None, "user who spawns it (default: the last of devUsers); must not have a notebook already"
    ] = None,
    test: Annotated[str, "expression (pytest -k) that selects tests of the harness to run after each reload"] = "",
) -> None:
    """Reload after every save below the clones, volumes/ and hub_config.d/, until interrupted.

    Each reload prints a line.
    """
    with reporting_errors(INTERRUPTED_WATCH, is_end=True):
        from hubpod.cli import arguments, watch_output

        found = arguments.parse_instance(environment, instance)
        after = watch_output.AfterReload(spawn=spawn, user=user, test=test)
        watch_output.watch_and_print(arguments.parse_request(found, source=source), after)


def down(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    volumes: Annotated[bool, "also remove the volumes: home directories, the hub's database, credentials"] = False,
    dry: Dry = False,
) -> None:
    """Remove an instance's pod.

    Home directories and the hub's database stay unless --volumes is given.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands import down as command

        found = arguments.parse_instance(environment, instance)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(found, lambda context: dry_run.plan_down(context, found, volumes=volumes))
        else:
            command.down(console.verbose_context(found), found, volumes=volumes)


def status(
    *, environment: EnvironmentName = ENVIRONMENT, instance: InstanceName = INSTANCE, json: Json = False
) -> None:
    """Print whether an instance is ready, starting, degraded or down."""
    with reporting_errors():
        from hubpod.cli import arguments, console, output
        from hubpod.commands import inspect as command

        found = arguments.parse_instance(environment, instance)
        context = console.quiet_context(found, named=json)
        output.show_status(command.status(context, found), json=json)
        output.show_damage(context, found)


def logs(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    container: Annotated[str | None, f"only this container: {CONTAINERS}"] = None,
    follow: Follow = False,
    tail: Tail = None,
    since: Since = None,
    grep: Grep = None,
) -> None:
    """Print the logs of the containers in the order of time."""
    with reporting_errors(is_end=follow):
        from hubpod.cli import arguments, console
        from hubpod.cli.logs import make_printer, parse_log_request
        from hubpod.commands.logs import show_logs

        found = arguments.parse_instance(environment, instance)
        request = parse_log_request(container, since, tail, grep)
        show_logs(console.quiet_context(found), found, request, make_printer(found), follow=follow)


def execute(
    *,
    container: Annotated[str, CONTAINERS],
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
) -> None:
    """Run a command in a container: `dev.exec slurm -- sinfo`.

    Without a command, a shell starts.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands import inspect as command

        arguments.refuse_option("dev.exec", container)
        # invoke joins the words after `--` with spaces; sys.argv has them one by one.
        words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
        found = arguments.parse_instance(environment, instance)
        code = command.execute(console.quiet_context(found), found, container, words or ["bash"])
    raise SystemExit(code)


def spawn(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    user: Annotated[str | None, "name for the login form (default: the first of devUsers)"] = None,
    token_file: Annotated[
        str | None, "file with a login token, where the hub requires one; - reads standard input"
    ] = None,
    url: HubUrl = "",
    project: Annotated[str | None, "project to spawn for (default: the user's first)"] = None,
    timeline: Annotated[str | None, "file to draw the timeline of the spawn to, .svg or .html"] = None,
    json: Json = False,
) -> None:
    """Spawn a notebook as a user does, and stop it.

    The command logs in, spawns the notebook, runs code in a kernel, stops the notebook, and waits until the job is
    gone.
    """
    with reporting_errors():
        from hubpod.cli import arguments
        from hubpod.cli import spawn as command
        from hubpod.request import SpawnRequest

        picture = arguments.parse_picture_path("--timeline", timeline) if timeline is not None else None
        found = arguments.parse_instance(environment, instance)
        request = SpawnRequest(instance=found, user=user, token=arguments.read_token(token_file), url=url)
        command.spawn(request, project=project, picture=picture, json=json)


def doctor(
    *, environment: EnvironmentName = ENVIRONMENT, instance: InstanceName = INSTANCE, json: Json = False
) -> None:
    """Check the machine, and print a remedy for each problem.

    The checks are the same for all environments.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console, output
        from hubpod.cli.checkout import WORKSPACE
        from hubpod.commands import doctor as command
        from hubpod.podman.findings import Verdict

        console.name_instance(arguments.parse_instance(environment, instance))
        findings = command.examine(WORKSPACE)
        output.show_findings(findings, json=json)
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise SystemExit(MachineError.exit_code)


def manifest(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    port: Port = None,
    publish: Publish = None,
    deploy_dir: DeployDir = None,
    base: BaseImage = None,
    source: Source = None,
    zenith_image: ZenithImage = None,
    target: Target = None,
    with_secrets: WithSecrets = False,
    fill_volumes: FillVolumes = False,
) -> None:
    """Print the manifest that dev.up plays, or one for a cluster.

    The manifest contains secrets only with --with-secrets. With --fill-volumes `podman kube play` can start it.
    """
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.commands import manifest as command

        request = arguments.parse_request(
            arguments.parse_instance(environment, instance),
            port=port,
            publish=publish,
            deploy_dir=deploy_dir,
            base=base,
            source=source,
            zenith_image=zenith_image,
        )
        parsed = arguments.parse_target(target)
        if arguments.require_podman(parsed, fill_volumes=fill_volumes, with_secrets=with_secrets):
            sys.stdout.write(command.render_and_fill(console.verbose_context(request.instance), request))
        else:
            context = console.quiet_context(request.instance)
            sys.stdout.write(command.render(context, request, parsed, secrets=with_secrets))


def clone(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    deploy_dir: DeployDir = None,
    source: Source = None,
    dry: Dry = False,
) -> None:
    """Clone the missing development repositories, which all environments share."""
    with reporting_errors():
        from hubpod.cli import arguments, console
        from hubpod.cli.checkout import WORKSPACE
        from hubpod.images import ensure

        request = arguments.parse_request(arguments.parse_instance(environment, instance), source=source)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(request.instance, lambda context: dry_run.plan_clones(context.workspace, request))
            return
        console.name_instance(request.instance)
        with arguments.trusting_site(request.instance, deploy_dir):
            ensure.clone_sources(WORKSPACE, console.reporter(), request.origins)


def build(
    *,
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    deploy_dir: DeployDir = None,
    base: BaseImage = None,
    source: Source = None,
    zenith_image: ZenithImage = None,
    json: Json = False,
    dry: Dry = False,
) -> None:
    """Build the images that all instances of an environment share, without starting anything."""
    with reporting_errors(INTERRUPTED_CLEAN):
        from hubpod.cli import arguments, console, output
        from hubpod.images import ensure

        found = arguments.parse_instance(environment, instance)
        request = arguments.parse_request(found, base=base, source=source, zenith_image=zenith_image)
        if dry:
            from hubpod.cli.dry_run import show_plan
            from hubpod.commands import dry_run

            show_plan(found, lambda context: dry_run.plan_build(context, request))
            return
        context = console.verbose_context(request.instance)
        with arguments.trusting_site(found, deploy_dir):
            images = ensure.ensure_images(context, request).images
        if json:
            output.show_json(dict(images))
        else:
            sys.stdout.writelines(f"{reference}\n" for reference in images.values())


def volumes(
    *,
    action: Annotated[str, "list, export, import or reset"],
    environment: EnvironmentName = ENVIRONMENT,
    instance: InstanceName = INSTANCE,
    name: Annotated[str, "volume as list prints it; reset also takes `all`"] = "",
    file: Annotated[str, "tar archive to write or read"] = "",
    json: Json = False,
    dry: Dry = False,
) -> None:
    """List, export or import volumes, or reset data to its initial content."""
    with reporting_errors():
        from hubpod.cli import arguments
        from hubpod.cli import volumes as command

        found = arguments.parse_instance(environment, instance)
        command.manage_volumes(found, action, name=name, file=file, json=json, dry=dry)
