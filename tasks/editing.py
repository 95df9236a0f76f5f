"""What `dev.watch` prints, and what it does after each reload."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from hubpod import process, proofs
from hubpod.context import Context
from hubpod.environments import Login
from hubpod.errors import HubpodError, UsageError
from hubpod.progress import marks
from hubpod.request import Person, UpRequest
from hubpod.sources import SOURCES
from hubpod.watch import Turn, watch
from tasks.console import out, print_error, quiet
from tasks.shell import WORKSPACE


@dataclass(frozen=True, kw_only=True)
class Then:
    """What follows a reload.

    Attributes:
        spawn: A person gets a notebook.
        test: The harness's tests that match this expression of pytest's -k; none when empty.
    """

    spawn: bool
    test: str


def watch_and_tell(request: UpRequest, then: Then) -> None:
    """Watch until interrupted, with a line for each reload.

    Raises:
        UsageError: A notebook is asked for where people log in with a token.
        NotRunningError: The instance is down.
    """
    if then.spawn and request.instance.environment.login is Login.JWT:
        raise UsageError(
            f"people log in to {request.instance.environment.name} with a token, which dev.watch has not",
            remedy="leave out --spawn, and type dev.spawn --token-file FILE",
        )
    context = quiet()

    def told(turn: Turn) -> None:
        _tell(turn)
        if not turn.error:
            _follow(context, request, then)
        if not turn.files:
            _line("watching the clones and volumes/; Ctrl-C ends it", good=True)

    watch(context, request, told)


def _tell(turn: Turn) -> None:
    what = ", ".join(dict.fromkeys(path.name for path in turn.files)) or "as it lies here"
    if turn.error:
        _line(f"{what}: not live, {turn.took_s:.1f} s", good=False)
        print_error(turn.error)
    else:
        _line(f"{what}: {turn.outcome}, healthy after {turn.took_s:.1f} s", good=True)


def _follow(context: Context, request: UpRequest, then: Then) -> None:
    if then.spawn:
        begun = time.monotonic()
        try:
            person = Person(instance=request.instance)
            report = proofs.spawn(context, person, project=None, on_step=lambda _: None)
        except HubpodError as error:
            _line(f"spawn: no notebook, {time.monotonic() - begun:.1f} s", good=False)
            print_error(error)
        else:
            _line(f"spawn: {report.user} got a notebook, {time.monotonic() - begun:.1f} s", good=True)
    if then.test:
        begun = time.monotonic()
        status = process.attach(pytest_command(request, then.test))
        _line(f"tests matching {then.test!r}: status {status}, {time.monotonic() - begun:.1f} s", good=status == 0)


def pytest_command(request: UpRequest, expression: str) -> Sequence[str]:
    """The tests of the harness's suite that match, with the sources that are watched, on a stack that stays."""
    folders = {source.name: source.clone(WORKSPACE.project) for source in SOURCES}
    folders |= {name: origin.folder for name, origin in request.origins.items() if origin.folder}
    return (
        *(sys.executable, "-m", "pytest", "-q", str(WORKSPACE.project / "harness" / "suite"), "-k", expression),
        *(f"--hubpod-source={name}={folder}" for name, folder in folders.items()),
        f"--hubpod-environment={request.instance.environment.name}",
        "--hubpod-reuse",
    )


def _line(text: str, *, good: bool) -> None:
    signs = marks(out)
    mark = (signs.good, "green") if good else (signs.bad, "red")
    out.print(Text.assemble(f"{time.strftime('%T')} ", mark, f" {text}"), soft_wrap=True)
