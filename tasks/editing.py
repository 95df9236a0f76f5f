"""What `dev.watch` prints, and what it does after each reload."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.text import Text

from hubpod.commands import prove
from hubpod.commands.inspect import require_running
from hubpod.commands.reload import with_recorded_sources
from hubpod.commands.watch import Turn, folders, watch
from hubpod.context import Context
from hubpod.environments import Instance
from hubpod.errors import HubpodError, UsageError
from hubpod.request import Person, UpRequest
from hubpod.settings import deploy_configmap
from hubpod.system import process
from hubpod.system.progress import marks
from tasks.console import out, print_error, quiet
from tasks.shell import WORKSPACE
from tasks.testing import OUTCOMES, pytest_command, python_with_harness, require_tests


@dataclass(frozen=True, kw_only=True)
class Then:
    """What follows a reload.

    Attributes:
        spawn: A person gets a notebook.
        user: Who that is; the last of devUsers when None, so that somebody who works as the first keeps theirs.
        test: The harness's tests that match this expression of pytest's -k; none when empty.
    """

    spawn: bool
    user: str | None
    test: str


def watch_and_tell(request: UpRequest, then: Then) -> None:
    """Watch until interrupted, with a line for each reload.

    Raises:
        UsageError: A notebook is asked for where people log in with a token, or there are no such tests.
        NotRunningError: The instance is down.
    """
    instance = request.instance
    if then.spawn and instance.environment.login.uses_token:
        raise UsageError(
            f"people log in to {instance.environment.name} with a token, which dev.watch has not",
            remedy="leave out --spawn, and type dev.spawn --token-file FILE",
        )
    context = quiet()
    request = with_recorded_sources(context, request)
    below = folders(context, request)
    follow = list(_followers(context, request, then))

    def told(turn: Turn) -> None:
        _tell(turn)
        for step in follow if not turn.error else ():
            step()
        if not turn.files:
            _line(f"watching {', '.join(map(_shown, below))}; Ctrl-C ends it", good=True)

    watch(context, request, below, told)


def _shown(folder: Path) -> str:
    """A folder of the checkout by its path there, any other one by its whole path."""
    here = WORKSPACE.project
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _tell(turn: Turn) -> None:
    if turn.error:
        _line(f"{turn.saved}: not live, {turn.took_s:.1f} s", good=False)
        print_error(turn.error)
    else:
        _line(f"{turn.saved}: {turn.outcome}, healthy after {turn.took_s:.1f} s", good=True)


def _followers(context: Context, request: UpRequest, then: Then) -> Iterator[Callable[[], None]]:
    """What is done after each reload, seen to be possible."""
    if then.spawn:
        user = then.user or _last_user(context, request.instance)
        yield partial(_spawn, context, Person(instance=request.instance, user=user))
    if then.test:
        command = pytest_command(request, then.test, python_with_harness())
        require_tests(command, then.test, request.instance.environment)
        yield partial(_test, command, then.test)


def _last_user(context: Context, instance: Instance) -> str:
    now = require_running(context, instance)
    accounts = deploy_configmap.load(Path(now.deploy_dir) / deploy_configmap.FILE_NAME, instance.environment).dev_users
    return accounts[-1].user


def _spawn(context: Context, person: Person) -> None:
    begun = time.monotonic()
    try:
        report = prove.spawn(context, person, project=None, on_step=lambda _: None)
    except HubpodError as error:
        _line(f"spawn: no notebook for {person.user}, {time.monotonic() - begun:.1f} s", good=False)
        print_error(error)
    else:
        _line(f"spawn: {report.user} got a notebook, {time.monotonic() - begun:.1f} s", good=True)


def _test(command: Sequence[str], expression: str) -> None:
    begun = time.monotonic()
    status = process.attach(command)
    if status == process.SIGNAL_EXIT_BASE + signal.SIGINT:
        raise KeyboardInterrupt  # pytest has the terminal, and got the signal in our place
    outcome = OUTCOMES.get(status, f"status {status}")
    _line(f"tests matching {expression!r}: {outcome}, {time.monotonic() - begun:.1f} s", good=status == 0)


def _line(text: str, *, good: bool) -> None:
    signs = marks(out)
    mark = (signs.good, "green") if good else (signs.bad, "red")
    out.print(Text.assemble(f"{time.strftime('%T')} ", mark, f" {text}"), soft_wrap=True)
