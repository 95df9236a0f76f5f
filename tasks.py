"""What people type: each task is a docstring and one call into hubpod. `invoke --list` shows them."""

import errno
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from invoke.collection import Collection
from invoke.context import Context as InvokeContext
from invoke.exceptions import Exit
from invoke.tasks import task
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hubpod import building, lifecycle, running
from hubpod import doctor as examination
from hubpod.base_image import BaseFrom
from hubpod.context import Context, prepare
from hubpod.environments import (
    DEFAULT_ENVIRONMENT,
    DEFAULT_INSTANCE,
    Instance,
    find_environment,
    find_instance,
    nearest,
)
from hubpod.errors import HubpodError, MachineError, UsageError
from hubpod.origins import parse_origins
from hubpod.probe import ProbeReport, Step
from hubpod.process import KILLED, Terminated
from hubpod.progress import ConsoleReporter, marks
from hubpod.request import Person, UpRequest
from hubpod.settings import FILE_NAME, load
from hubpod.sources import SOURCE_NAMES
from hubpod.status import ContainerStatus, State, Status, status
from hubpod.workspace import Workspace

WORKSPACE = Workspace(project=Path(__file__).resolve().parent)
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = "interrupted"
INTERRUPTED_CLEAN = "interrupted; nothing half-made is left, and the command can be run again"
INTERRUPTED_KEPT = "interrupted; what was started is kept"
ENVIRONMENT_VARIABLE = "HUBPOD_ENVIRONMENT"
INSTANCE_VARIABLE = "HUBPOD_INSTANCE"
ENVIRONMENT = os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
INSTANCE = os.environ.get(INSTANCE_VARIABLE) or DEFAULT_INSTANCE

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

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def told(interrupted: str = INTERRUPTED) -> Iterator[None]:
    """Tell an error once, as a sentence with its remedy, and end with its exit code; a traceback only with --debug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that cannot be shown is no reason to fail
    for number in INTERRUPTS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup's wish, and that of a shell's background jobs
            signal.signal(number, _interrupt)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        with suppress(OSError):  # after SIGHUP, the terminal has gone
            _print_error(HubpodError(interrupted))
        raise Exit(code=KILLED + (interrupt.number if isinstance(interrupt, Terminated) else signal.SIGINT)) from None
    except BrokenPipeError:
        # Whoever read our output has gone, as in `… | head`.
        sys.stderr.close()
        raise Exit(code=KILLED + signal.SIGINT) from None
    except Exception as error:
        if logging.getLogger("invoke").isEnabledFor(logging.DEBUG):
            raise
        sentence = _sentence(error)
        _print_error(sentence)
        raise Exit(code=sentence.exit_code) from error


def _interrupt(number: int, _frame: object) -> NoReturn:
    # Whoever is impatient and asks twice does not stop the cleaning up that the first time has begun.
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)


def _sentence(error: Exception) -> HubpodError:
    if isinstance(error, HubpodError):
        return error
    if isinstance(error, OSError) and error.strerror:
        what = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else "the system says: "
        refused = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        return MachineError(
            what + error.strerror, remedy="see whose it is, and that you may read and write there" if refused else ""
        )
    text = " ".join(str(error).split())
    return HubpodError(
        f"unforeseen error: {type(error).__name__}{': ' if text else ''}{text}", remedy="run again with --debug"
    )


def _print_error(error: HubpodError) -> None:
    signs = marks(err)
    err.print(Text.assemble((signs.bad, "red"), f" {error.message}"), soft_wrap=True)
    for line in error.detail:
        err.print(Text(f"  {line}"), soft_wrap=True)
    if error.remedy:
        err.print(Text(f"{signs.remedy} {error.remedy}"), soft_wrap=True)


def _context() -> Context:
    return prepare(WORKSPACE, ConsoleReporter(console=err))


def _quiet_context() -> Context:
    """For commands whose output is the point: nothing is told but errors."""
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))


def _instance(environment: str, instance: str) -> Instance:
    with _variable_told(ENVIRONMENT_VARIABLE, environment):
        find_environment(environment)
    with _variable_told(INSTANCE_VARIABLE, instance):
        return find_instance(environment, instance)


@contextmanager
def _variable_told(variable: str, value: str) -> Iterator[None]:
    """Name the variable that a wrong value comes from: nobody has typed it."""
    try:
        yield
    except UsageError as error:
        if value != os.environ.get(variable):
            raise
        remedy = f"it comes from the variable {variable}; {error.remedy}"
        raise UsageError(error.message, remedy=remedy, detail=error.detail) from error


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
        instance=_instance(environment, instance),
        port=_port(port),
        deploy_dir=_folder(deploy_dir) if deploy_dir else None,
        base=_base(base),
        origins=parse_origins(tuple(source or ()), SOURCE_NAMES),
        keep=keep,
    )


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().resolve()
    except (RuntimeError, ValueError) as error:  # no such user; links in a circle
        raise UsageError(f"--deploy-dir {text}: {error}", remedy="give the path of a folder") from error


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
    with told(INTERRUPTED_KEPT if keep else INTERRUPTED_CLEAN):
        request = _request(environment, instance, port, deploy_dir, base, source, keep=keep)
        _print_welcome(lifecycle.up(_context(), request), request)


def _print_welcome(now: Status, request: UpRequest) -> None:
    file = Path(now.deploy_dir) / FILE_NAME
    users = dict.fromkeys(user.partition(".")[0] for user in load(file, request.instance.environment).dev_users)
    out.print(Text.assemble("\n  ", (now.url, "bold")), soft_wrap=True)
    out.print(Text(f"  users     {', '.join(users)}"), soft_wrap=True)
    out.print(Text(f"  password  dummyAuthPassword in {file}\n"), soft_wrap=True)


@task(help={**ENVIRONMENT_HELP, "volumes": "remove its volumes, too: home folders, the hub's database, credentials"})
def down(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    volumes: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Remove an instance's pod; home folders and the hub's database are kept unless --volumes is given."""
    with told():
        found = _instance(environment, instance)
        lifecycle.down(_context(), found, volumes=volumes)


@task(name="status", help={**ENVIRONMENT_HELP, "json": "print it as JSON"})
def status_(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Tell whether an instance is ready, starting, degraded or down."""
    with told():
        found = _instance(environment, instance)
        now = status(_quiet_context().podman, found)
        if json:
            _print_json(now.as_dict())
        else:
            _print_status(now)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _print_status(now: Status) -> None:
    colour = {State.READY: "green", State.STARTING: "yellow", State.DEGRADED: "red", State.DOWN: "dim"}[now.state]
    url = f"  {now.url}" if now.url else ""
    name = f"{now.environment}, instance {now.instance}: "
    out.print(Text.assemble(name, (now.state.value, colour), url), soft_wrap=True)
    if now.containers:
        _print_table(("container", "state", "ready", "since", "image"), [_row(each) for each in now.containers])
    if now.volumes:
        settings = f", settings: {now.deploy_dir}" if now.deploy_dir else ""
        out.print(Text(f"volumes: {len(now.volumes)}{settings}"), soft_wrap=True)


def _row(container: ContainerStatus) -> tuple[str, ...]:
    since = container.started.astimezone().strftime("%F %T") if container.started else ""
    no = f"no: {' '.join(container.reason.split())}" if container.reason else "no"
    return container.name, container.state, "yes" if container.ready else no, since, container.image


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, and lines with aligned columns where a program may read them."""
    if out.is_terminal:
        table = Table(box=None)
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        out.print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.print(Text(line.rstrip()), soft_wrap=True)


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
        found = _instance(environment, instance)
        code = running.logs(_quiet_context(), found, container, tail, follow=follow)
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
        found = _instance(environment, instance)
        code = running.execute(_quiet_context(), found, container, words or ["bash"])
    raise Exit(code=code)


@task(
    help={
        **ENVIRONMENT_HELP,
        "user": "name to type at the login form (default: the first of devUsers)",
        "token-file": "file with the token to log in with, where the environment wants one; - is standard input",
        "project": "project to spawn for (default: the user's first)",
        "json": "print the report as JSON",
    }
)
def spawn(  # noqa: PLR0913, PLR0917 - options for a person
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    user: str | None = None,
    token_file: str | None = None,
    project: str | None = None,
    json: bool = False,  # noqa: FBT001, FBT002 - a flag
) -> None:
    """Prove that a person gets a notebook: log in, spawn, run code in a kernel, stop, see the job gone."""

    def show(step: Step) -> None:
        if not json:
            text = f" {step.name:<9}{step.at_s:6.1f} s "
            out.print(Text.assemble((marks(out).good, "green"), text, (f"+{step.took_s:.2f}", "dim")), soft_wrap=True)

    with told():
        found = _instance(environment, instance)
        person = Person(instance=found, user=user, token=_token(token_file))
        report = lifecycle.spawn(_quiet_context(), person, project=project, on_step=show)
        if json:
            _print_json(report.as_dict())
        else:
            _print_report(report)


def _token(file: str | None) -> str:
    """The token in a file: never an argument, which other users of the machine can see."""
    if file is None:
        return ""
    try:
        text = sys.stdin.read() if file == "-" else _folder(file).read_text()
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"--token-file {file}: cannot be read ({error})", remedy="give a file with one token"
        ) from None
    if len(text.split()) != 1:
        raise UsageError(f"--token-file {file}: holds {len(text.split())} words", remedy="give a file with one token")
    return text.strip()


def _print_report(report: ProbeReport) -> None:
    job = f"job {report.job_id} on {report.node}, 5 * 4 = {report.result}"
    out.print(Text(f"\n  {report.user} got a notebook for {report.project}: {job}\n"), soft_wrap=True)


@task(help=ENVIRONMENT_HELP)
def doctor(_: InvokeContext, environment: str = ENVIRONMENT, instance: str = INSTANCE) -> None:
    """Check the machine, and name the remedy for each finding; it is the same for all environments and instances."""
    with told():
        _instance(environment, instance)
        findings = examination.examine(WORKSPACE.state)
        _print_findings(findings)
    if any(finding.verdict is examination.Verdict.BAD for finding in findings):
        raise Exit(code=MachineError.exit_code)


def _print_findings(findings: Sequence[examination.Finding]) -> None:
    signs = marks(out)
    styled = {
        examination.Verdict.GOOD: (signs.good, "green"),
        examination.Verdict.WARNING: (signs.warning, "yellow"),
        examination.Verdict.BAD: (signs.bad, "red"),
    }
    for finding in findings:
        out.print(Text.assemble(styled[finding.verdict], f" {finding.check:<11} {finding.text}"), soft_wrap=True)
        if finding.remedy:
            out.print(Text(f"  {signs.remedy} {finding.remedy}"), soft_wrap=True)


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
        sys.stdout.write(lifecycle.manifest(_quiet_context(), request))


@task(help={**ENVIRONMENT_HELP, "source": UP_HELP["source"]}, iterable=["source"])
def clone(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
) -> None:
    """Clone the development repositories, without touching those that are there; all environments share them."""
    with told():
        _instance(environment, instance)
        origins = parse_origins(tuple(source or ()), SOURCE_NAMES)
        building.clone(WORKSPACE, ConsoleReporter(console=err), origins)


@task(help={**ENVIRONMENT_HELP, "base": UP_HELP["base"], "source": UP_HELP["source"]}, iterable=["source"])
def build(
    _: InvokeContext,
    environment: str = ENVIRONMENT,
    instance: str = INSTANCE,
    base: str = BaseFrom.AUTO.value,
    source: Sequence[str] | None = None,  # invoke makes it a list; a default of another type would be its type
) -> None:
    """Build the images of an environment, without starting anything; its instances share them."""
    with told(INTERRUPTED_CLEAN):
        request = _request(environment, instance, None, None, base, source)
        for reference in building.build(_context(), request).values():
            sys.stdout.write(reference + "\n")


def _collection(*tasks: Any) -> Collection:  # noqa: ANN401 - invoke's Task is generic over its body
    collection = Collection()
    for each in tasks:
        collection.add_task(each)
    return collection


namespace = Collection()
namespace.add_collection(_collection(up, down, status_, logs, exec_, spawn, doctor, manifest, clone, build), name="dev")
