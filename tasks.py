"""What people type: each task is a docstring and one call into hubpod. `invoke --list` shows them."""

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task
from rich.console import Console
from rich.table import Table

from hubpod import doctor as examination
from hubpod import lifecycle, running
from hubpod.base_image import BaseFrom
from hubpod.context import Context, prepare
from hubpod.environments import DEFAULT_ENVIRONMENT, DEFAULT_INSTANCE, find_instance, nearest
from hubpod.errors import HubpodError, MachineError, UsageError
from hubpod.lifecycle import UpRequest
from hubpod.origins import parse_origins
from hubpod.probe import ProbeReport, Step
from hubpod.progress import ConsoleReporter
from hubpod.settings import FILE_NAME, load
from hubpod.sources import SOURCE_NAMES
from hubpod.status import State, Status, status
from hubpod.workspace import Workspace

WORKSPACE = Workspace(project=Path(__file__).resolve().parent)
INTERRUPTED = 130
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENVIRONMENT = os.environ.get("HUBPOD_ENVIRONMENT") or DEFAULT_ENVIRONMENT
INSTANCE = os.environ.get("HUBPOD_INSTANCE") or DEFAULT_INSTANCE

ENVIRONMENT_HELP = {
    "environment": f"environment to work on (default {ENVIRONMENT}, or $HUBPOD_ENVIRONMENT)",
    "instance": f"instance of it; several run side by side (default {INSTANCE}, or $HUBPOD_INSTANCE)",
}
UP_HELP = {
    **ENVIRONMENT_HELP,
    "port": "port on 127.0.0.1 to publish the hub on; a free one is chosen when left out",
    "deploy_dir": f"folder with {FILE_NAME}; by default one of the instance's own, made when there is none",
    "base": "where the base image comes from: auto, registry or bootstrap",
    "source": "NAME=URL[@REF] to clone a source from, or NAME=PATH to use a folder in place; may be repeated",
    "keep": "leave what was started when it does not become ready",
}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def told() -> Iterator[None]:
    """Tell an error once, as a sentence with its remedy, and end with its exit code; a traceback only with --debug."""
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        yield
    except HubpodError as error:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
            raise
        err.print(f"[red]✗[/] {_escaped(error.message)}", soft_wrap=True)
        for line in error.detail:
            err.print(f"  {line}", markup=False, soft_wrap=True)
        if error.remedy:
            err.print(f"→ {error.remedy}", markup=False, soft_wrap=True)
        raise Exit(code=error.exit_code) from error
    except KeyboardInterrupt:
        err.print("[red]✗[/] interrupted; nothing half-made is left, and the command can be run again")
        raise Exit(code=INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone, as in `… | head`.
        sys.stderr.close()
        raise Exit(code=INTERRUPTED) from None


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    # Whoever is impatient and asks twice does not stop the cleaning up that the first time has begun.
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _context() -> Context:
    return prepare(WORKSPACE, ConsoleReporter(console=err))


def _quiet_context() -> Context:
    """For commands whose output is the point: nothing is told but errors."""
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))


def _request(  # noqa: PLR0913, PLR0917 - the options of dev.up
    environment: str,
    instance: str,
    port: str | None,
    deploy_dir: str | None,
    base: str,
    source: Sequence[str] | None,
    *,
    keep: bool = False,
) -> UpRequest:
    return UpRequest(
        instance=find_instance(environment, instance),
        port=_port(port),
        deploy_dir=Path(deploy_dir).expanduser().resolve() if deploy_dir else None,
        base=_base(base),
        origins=parse_origins(tuple(source or ()), SOURCE_NAMES),
        keep=keep,
    )


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise UsageError(f"--port {text}: must be a number from 1 to 65535")
    return int(text)


def _base(text: str) -> BaseFrom:
    choices = [choice.value for choice in BaseFrom]
    if text not in choices:
        raise UsageError(f"--base {text}: must be one of {', '.join(choices)}{nearest(text, choices)}")
    return BaseFrom(text)


@task(help=UP_HELP, iterable=["source"])
def up(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    port: str | None = None,
    deploy_dir: str | None = None,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
    keep: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Bring an instance up, from nothing to "a notebook can be spawned"; a second call changes only what differs."""
    with told():
        request = _request(environment, instance, port, deploy_dir, base, source, keep=keep)
        _print_welcome(lifecycle.up(_context(), request), request)


def _print_welcome(now: Status, request: UpRequest) -> None:
    file = Path(now.deploy_dir) / FILE_NAME
    users = dict.fromkeys(user.partition(".")[0] for user in load(file, request.instance.environment).dev_users)
    out.print(f"\n  [bold]{now.url}[/]", soft_wrap=True)
    out.print(f"  users     {', '.join(users)}", soft_wrap=True)
    out.print(f"  password  dummyAuthPassword in {file}\n", soft_wrap=True)


@task(help={**ENVIRONMENT_HELP, "volumes": "remove its volumes, too: home folders, the hub's database, credentials"})
def down(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    volumes: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Remove an instance's pod; home folders and the hub's database are kept unless --volumes is given."""
    with told():
        lifecycle.down(_context(), find_instance(environment, instance), volumes=volumes)


@task(name="status", help={**ENVIRONMENT_HELP, "json": "print it as JSON"})
def status_(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Tell whether an instance is ready, starting, degraded or down."""
    with told():
        now = status(_quiet_context().podman, find_instance(environment, instance))
        if json:
            _print_json(now.as_dict())
        else:
            _print_status(now)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _print_status(now: Status) -> None:
    colour = {State.READY: "green", State.STARTING: "yellow", State.DEGRADED: "red", State.DOWN: "dim"}[now.state]
    out.print(f"{now.environment}, instance {now.instance}: [{colour}]{now.state.value}[/]  {now.url}", soft_wrap=True)
    if now.containers:
        table = Table("container", "state", "ready", "since", "image", box=None)
        for container in now.containers:
            since = container.started.astimezone().strftime("%F %T") if container.started else ""
            ready = "yes" if container.ready else f"no: {container.reason}" if container.reason else "no"
            table.add_row(container.name, container.state, ready, since, container.image)
        out.print(table)
    if now.volumes:
        out.print(f"volumes: {len(now.volumes)}, settings: {now.deploy_dir}", soft_wrap=True)


@task(
    help={
        **ENVIRONMENT_HELP,
        "container": "only this one: jupyterhub, proxy or slurm",
        "follow": "go on until interrupted",
        "tail": "only this many lines from the end of each",
    }
)
def logs(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    container: str | None = None,
    follow: bool = False,  # noqa: FBT001, FBT002 - a flag
    tail: str | None = None,
) -> None:
    """Show what the containers wrote."""
    with told():
        if tail is not None and not tail.isdecimal():
            raise UsageError(f"--tail {tail}: must be a number of lines")
        code = running.logs(_quiet_context(), find_instance(environment, instance), container, tail, follow=follow)
    raise Exit(code=code)


@task(name="exec", positional=["container"], help={**ENVIRONMENT_HELP, "container": "jupyterhub, proxy or slurm"})
def exec_(
    _: InvokeContext,
    container: str,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
) -> None:
    """Run a command in a container: `invoke dev.exec slurm -- sinfo`; a shell when no command is given."""
    with told():
        # invoke joins what follows `--` with spaces; the words themselves are in argv only.
        words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
        code = running.execute(_quiet_context(), find_instance(environment, instance), container, words or ["bash"])
    raise Exit(code=code)


@task(
    help={
        **ENVIRONMENT_HELP,
        "user": "name to type at the login form (default: the first of devUsers)",
        "project": "project to spawn for (default: the user's first)",
        "json": "print the report as JSON",
    }
)
def spawn(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    user: str | None = None,
    project: str | None = None,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, see the job gone."""

    def show(step: Step) -> None:
        if not json:
            out.print(f"[green]✓[/] {step.name:<9}{step.at_s:6.1f} s [dim]+{step.took_s:.2f}[/]")

    with told():
        report = lifecycle.spawn(
            _quiet_context(), find_instance(environment, instance), user=user, project=project, on_step=show
        )
        if json:
            _print_json(report.as_dict())
        else:
            _print_report(report)


def _print_report(report: ProbeReport) -> None:
    out.print(
        f"\n  {report.user} got a notebook for {report.project}: job {report.job_id} on {report.node}, 5 * 4 = "
        f"{report.result}\n",
        soft_wrap=True,
    )


@task
def doctor(_: InvokeContext) -> None:
    """Check the machine, and name the remedy for each finding."""
    with told():
        findings = examination.examine(WORKSPACE.state)
        marks = {
            examination.Verdict.GOOD: "[green]✓[/]",
            examination.Verdict.WARNING: "[yellow]![/]",
            examination.Verdict.BAD: "[red]✗[/]",
        }
        for finding in findings:
            out.print(f"{marks[finding.verdict]} {finding.check:<11} {_escaped(finding.text)}", soft_wrap=True)
            if finding.remedy:
                out.print(f"  → {_escaped(finding.remedy)}", soft_wrap=True)
    if any(finding.verdict is examination.Verdict.BAD for finding in findings):
        raise Exit(code=MachineError.exit_code)


@task(help={name: UP_HELP[name] for name in ("environment", "instance", "port", "deploy_dir")})
def manifest(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    port: str | None = None,
    deploy_dir: str | None = None,
) -> None:
    """Print the manifest that dev.up plays; nothing in it is secret."""
    with told():
        request = _request(environment, instance, port, deploy_dir, BaseFrom.AUTO.value, ())
        sys.stdout.write(lifecycle.manifest(WORKSPACE, request))


@task(help={"source": UP_HELP["source"]}, iterable=["source"])
def clone(_: InvokeContext, source: Sequence[str] | None = None) -> None:
    """Clone the development repositories, without touching those that are there."""
    with told():
        lifecycle.clone(WORKSPACE, ConsoleReporter(console=err), parse_origins(tuple(source or ()), SOURCE_NAMES))


@task(help={name: UP_HELP[name] for name in ("environment", "base", "source")}, iterable=["source"])
def build(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
) -> None:
    """Build the images of an environment, without starting anything."""
    with told():
        request = _request(environment, INSTANCE, None, None, base, source)
        for reference in lifecycle.build(_context(), request).values():
            sys.stdout.write(reference + "\n")


def _collection(*tasks: Any) -> Collection:  # noqa: ANN401 - invoke's Task is generic over its body
    collection = Collection()
    for each in tasks:
        collection.add_task(each)
    return collection


namespace = Collection()
namespace.add_collection(_collection(up, down, status_, logs, exec_, spawn, doctor, manifest, clone, build), name="dev")
