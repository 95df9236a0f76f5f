"""Development: instances that come and go, with an edit live at the next `dev.reload`, or as it is saved."""

import sys
from collections.abc import Sequence

from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task

from hubpod.environments import Stage, nearest
from hubpod.errors import HubpodError, MachineError, UsageError
from tasks import doing
from tasks.options import (
    BUILD_HELP,
    ENVIRONMENT,
    ENVIRONMENT_HELP,
    INSTANCE,
    PLAN_HELP,
    UP_HELP,
)
from tasks.shell import INTERRUPTED_CLEAN, INTERRUPTED_KEPT, INTERRUPTED_WATCH, WORKSPACE, told
from tasks.watching import logs_task, status_task

CONTAINERS = "jupyterhub, proxy, slurm or zenith"
VOLUME_ACTIONS = ("list", "export", "import", "reset")


@task(help=UP_HELP, iterable=["source"])
def up(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    base: str | None = None,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
    zenith_image: str | None = None,
    keep: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Bring an instance up, from nothing to "a notebook can be spawned"; a second call changes only what differs."""
    with told(INTERRUPTED_KEPT if keep else INTERRUPTED_CLEAN):
        found = doing.given.instance_of(environment, instance)
        request = doing.given.request_of(
            found,
            port=port,
            publish=publish,
            deploy_dir=deploy_dir,
            base=base,
            source=source,
            zenith_image=zenith_image,
            keep=keep,
        )
        site = doing.up.up(doing.console.loud(), request)
        doing.shown.show_welcome(site)


@task(help={**ENVIRONMENT_HELP, "source": BUILD_HELP["source"]}, iterable=["source"])
def reload(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
) -> None:
    """Make an edit live in the pod that runs; notebooks go on. One that breaks the hub is taken back, and shown."""
    with told():
        found = doing.given.instance_of(environment, instance)
        doing.reload.reload(doing.console.loud(), doing.given.request_of(found, source=source))


@task(
    help={
        **ENVIRONMENT_HELP,
        "source": BUILD_HELP["source"],
        "spawn": "prove after each reload that a person gets a notebook",
        "user": "who gets it (default: the last of devUsers; a notebook that they have is in its way)",
        "test": "run the harness's tests that match this (pytest -k) after each reload",
    },
    iterable=["source"],
)
def watch(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
    spawn: bool = False,  # noqa: FBT001, FBT002 - a flag
    user: str | None = None,
    test: str = "",
) -> None:
    """Reload after every save below the clones and volumes/, with a line for each, until interrupted."""
    with told(INTERRUPTED_WATCH):
        found = doing.given.instance_of(environment, instance)
        then = doing.editing.Then(spawn=spawn, user=user, test=test)
        doing.editing.watch_and_tell(doing.given.request_of(found, source=source), then)


@task(help={**ENVIRONMENT_HELP, "volumes": "remove its volumes, too: home folders, the hub's database, credentials"})
def down(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    volumes: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Remove an instance's pod; home folders and the hub's database are kept unless --volumes is given."""
    with told():
        found = doing.given.instance_of(environment, instance)
        doing.down.down(doing.console.loud(), found, volumes=volumes)


status = status_task(
    Stage.DEV, ENVIRONMENT, ENVIRONMENT_HELP, "Tell whether an instance is ready, starting, degraded or down."
)
logs = logs_task(Stage.DEV, ENVIRONMENT, ENVIRONMENT_HELP, CONTAINERS)


@task(name="exec", positional=["container"], help={**ENVIRONMENT_HELP, "container": CONTAINERS})
def exec_(
    _: InvokeContext,
    container: str,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
) -> None:
    """Run a command in a container: `invoke dev.exec slurm -- sinfo`; a shell when no command is given."""
    with told():
        _refuse_option("dev.exec", container)
        # invoke joins what follows `--` with spaces; the words themselves are in argv only.
        words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
        found = doing.given.instance_of(environment, instance)
        code = doing.running.execute(doing.console.quiet(), found, container, words or ["bash"])
    raise Exit(code=code)


@task(
    help={
        **ENVIRONMENT_HELP,
        "user": "name to type at the login form (default: the first of devUsers)",
        "token-file": "file with the token to log in with, where the environment wants one; - is standard input",
        "url": "the hub's address, where people come through a tunnel",
        "project": "project to spawn for (default: the user's first)",
        "timeline": "draw where the time went to this file, .svg or .html",
        "json": "print the report as JSON",
    }
)
def spawn(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    user: str | None = None,
    token_file: str | None = None,
    url: str = "",
    project: str | None = None,
    timeline: str | None = None,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, see the job gone."""
    with told():
        picture = doing.given.picture_of("--timeline", timeline) if timeline is not None else None
        found = doing.given.instance_of(environment, instance)
        person = doing.request.Person(instance=found, user=user, token=doing.given.token_in(token_file), url=url)
        on_step = doing.shown_proofs.step_teller(silent=json)
        report = doing.proofs.spawn(doing.console.quiet(), person, project=project, on_step=on_step)
        if json:
            doing.shown.show_json(report.as_dict())
        else:
            doing.shown_proofs.show_report(report)
        if picture:
            doing.shown_proofs.draw_spawn(picture, report, doing.proofs.timeline(doing.console.quiet(), found, report))


@task(
    help={
        **ENVIRONMENT_HELP,
        "url": "the hub's address, where people come through a tunnel",
        "json": "print the verdicts as JSON",
    }
)
def attack(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    url: str = "",
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Try what a hub must refuse to a stranger, and tell what it has answered; exit code 1 when it let one through."""
    with told():
        found = doing.given.instance_of(environment, instance)
        verdicts = doing.attack.attack(doing.console.quiet(), found, url=url)
        if json:
            doing.shown.show_json([verdict.as_dict() for verdict in verdicts])
        else:
            doing.shown_proofs.show_verdicts(verdicts)
    if not all(verdict.passed for verdict in verdicts):
        raise Exit(code=HubpodError.exit_code)


@task(help=ENVIRONMENT_HELP)
def doctor(_: InvokeContext, environment: str = ENVIRONMENT, instance: str = INSTANCE) -> None:
    """Check the machine, and name the remedy for each finding; it is the same for all environments and instances."""
    with told():
        doing.given.instance_of(environment, instance)
        findings = doing.doctor.examine(WORKSPACE.state)
        doing.shown.show_findings(findings)
    if any(finding.verdict is doing.findings.Verdict.BAD for finding in findings):
        raise Exit(code=MachineError.exit_code)


@task(
    help={
        **ENVIRONMENT_HELP,
        **PLAN_HELP,
        "target": "podman, which dev.up plays, or kubernetes, for a cluster",
        "with_secrets": "for a cluster, print Secrets with their values, too",
    }
)
def manifest(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    port: str | None = None,
    publish: str | None = None,
    deploy_dir: str | None = None,
    zenith_image: str | None = None,
    target: str | None = None,
    with_secrets: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Print the manifest that dev.up plays, or one for a cluster; it is secret only with --with-secrets."""
    with told():
        found = doing.given.instance_of(environment, instance)
        request = doing.given.request_of(
            found, port=port, publish=publish, deploy_dir=deploy_dir, zenith_image=zenith_image
        )
        wanted = doing.given.target_of(target)
        sys.stdout.write(doing.manifest.render(doing.console.quiet(), request, wanted, secrets=with_secrets))


@task(help={**ENVIRONMENT_HELP, "source": BUILD_HELP["source"]}, iterable=["source"])
def clone(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
) -> None:
    """Clone the development repositories, without touching those that are there; all environments share them."""
    with told():
        doing.given.instance_of(environment, instance)
        origins = doing.given.origins_of(source)
        doing.building.clone_sources(WORKSPACE, doing.console.reporter(), origins)


@task(
    help={**ENVIRONMENT_HELP, **BUILD_HELP, "zenith_image": PLAN_HELP["zenith_image"]},
    iterable=["source"],
)
def build(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    base: str | None = None,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
    zenith_image: str | None = None,
) -> None:
    """Build the images of an environment, without starting anything; its instances share them."""
    with told(INTERRUPTED_CLEAN):
        found = doing.given.instance_of(environment, instance)
        request = doing.given.request_of(found, base=base, source=source, zenith_image=zenith_image)
        for reference in doing.building.ensure_images(doing.console.loud(), request).images.values():
            sys.stdout.write(reference + "\n")


@task(
    name="volumes",
    positional=["action"],
    help={
        **ENVIRONMENT_HELP,
        "action": "list, export, import or reset",
        "name": "which one, as list shows it; reset takes `all`, too",
        "file": "the tar archive to write or read",
    },
)
def volumes_(
    _: InvokeContext,
    action: str,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    name: str = "",
    file: str = "",
) -> None:
    """List the volumes; write one to an archive, or put an archive in its place; let data begin anew."""
    with told():
        found = doing.given.instance_of(environment, instance)
        _refuse_option("dev.volumes", action)
        if action not in VOLUME_ACTIONS:
            known = ", ".join(VOLUME_ACTIONS)
            raise UsageError(f"dev.volumes {action}: must be one of {known}{nearest(action, VOLUME_ACTIONS)}")
        if action in {"export", "import"} and not file:
            raise UsageError("--file is missing", remedy="add --file FILE.tar")
        match action:
            case "export":
                doing.volumes.export(doing.console.loud(), found, name, doing.given.folder_of("--file", file))
            case "import":
                doing.volumes.replace(doing.console.loud(), found, name, doing.given.folder_of("--file", file))
            case "reset":
                doing.volumes.reset(doing.console.loud(), found, name)
            case _:
                rows = [
                    (each.part, each.kind, each.name)
                    for each in doing.volumes.list_volumes(doing.console.quiet(), found)
                ]
                doing.shown.show_table(("volume", "holds", "name in podman"), rows)


def _refuse_option(command: str, word: str) -> None:
    """Lead to the help where invoke takes an option for the word that a command begins with."""
    if word.startswith("-"):
        raise UsageError(
            f"{command}: {word} stands where a word is expected", remedy=f"`invoke --help {command}` helps"
        )
