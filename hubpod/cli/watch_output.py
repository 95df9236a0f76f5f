"""Print a line for each reload of `dev.watch`, and run its follow-up steps."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.text import Text

from hubpod.cli.checkout import WORKSPACE
from hubpod.cli.console import out, print_error, quiet_context
from hubpod.cli.harness_tests import OUTCOMES, find_python, pytest_command, require_tests
from hubpod.commands import prove
from hubpod.commands.inspect import read_settings, require_running
from hubpod.commands.reload import with_recorded_sources
from hubpod.commands.watch import ReloadResult, find_directories, watch
from hubpod.context import Context
from hubpod.errors import HubpodError, UsageError
from hubpod.request import SpawnRequest, UpRequest
from hubpod.system import process
from hubpod.system.progress import marks


@dataclass(frozen=True, kw_only=True)
class AfterReload:
    """Steps that follow each reload.

    Attributes:
        spawn: Spawn a notebook.
        user: User who spawns it. None is the last of devUsers, because developers usually work as the first.
        test: Expression of ``pytest -k`` that selects tests of the harness; empty for no tests.
    """

    spawn: bool
    user: str | None
    test: str


def watch_and_print(request: UpRequest, after: AfterReload) -> None:
    """Watch until interrupted, with a line for each reload.

    Raises:
        UsageError: A spawn needs a login token, or the expression matches no test.
        NotRunningError: The instance is down.
    """
    instance = request.instance
    if after.spawn and instance.environment.login.uses_token:
        raise UsageError(
            f"dev.watch --spawn cannot log in to {instance.environment.name}, which requires a token",
            remedy=f"leave out --spawn, and run `{instance.command('spawn', '--token-file', 'FILE')}`",
        )
    context = quiet_context(instance)
    request = with_recorded_sources(context, request)
    watched = find_directories(context, request)
    steps = list(_prepare_steps(context, request, after))

    def report(result: ReloadResult) -> None:
        _print_reload(result)
        for step in steps if not result.error else ():
            step()
        if not result.files:
            _print_line(f"watching {', '.join(map(_short, watched))}; Ctrl-C ends it", good=True)

    watch(context, request, watched, report)


def _short(directory: Path) -> str:
    """Shorten a path to one relative to the checkout, if it is inside."""
    project = WORKSPACE.project
    return str(directory.relative_to(project) if directory.is_relative_to(project) else directory)


def _print_reload(result: ReloadResult) -> None:
    if result.error:
        _print_line(f"{result.saved}: not live, {result.took_s:.1f} s", good=False)
        print_error(result.error)
    else:
        _print_line(f"{result.saved}: {result.summary}, healthy after {result.took_s:.1f} s", good=True)


def _prepare_steps(context: Context, request: UpRequest, after: AfterReload) -> Iterator[Callable[[], None]]:
    """Check that the steps can run, and yield a function for each."""
    if after.spawn:
        settings = read_settings(request.instance, require_running(context, request.instance))
        user = after.user or settings.dev_users[-1].user
        prove.require_user(user, settings)
        yield partial(_spawn, context, SpawnRequest(instance=request.instance, user=user))
    if after.test:
        command = pytest_command(request, after.test, find_python())
        require_tests(command, after.test, request.instance.environment)
        yield partial(_test, command, after.test)


def _spawn(context: Context, request: SpawnRequest) -> None:
    started_at = time.monotonic()
    try:
        report = prove.spawn(context, request, project=None, on_step=lambda _: None)
    except HubpodError as error:
        _print_line(f"spawn: no notebook for {request.user}, {time.monotonic() - started_at:.1f} s", good=False)
        print_error(error)
    else:
        _print_line(f"spawn: {report.user} got a notebook, {time.monotonic() - started_at:.1f} s", good=True)


def _test(command: Sequence[str], expression: str) -> None:
    started_at = time.monotonic()
    status = process.attach(command)
    if status == process.SIGNAL_EXIT_BASE + signal.SIGINT:
        raise KeyboardInterrupt  # the terminal sent the signal to pytest, not to this process
    outcome = OUTCOMES.get(status, f"status {status}")
    _print_line(f"tests matching {expression!r}: {outcome}, {time.monotonic() - started_at:.1f} s", good=status == 0)


def _print_line(text: str, *, good: bool) -> None:
    signs = marks(out)
    mark = (signs.good, "green") if good else (signs.bad, "red")
    out.print(Text.assemble(f"{time.strftime('%T')} ", mark, f" {text}"), soft_wrap=True)
