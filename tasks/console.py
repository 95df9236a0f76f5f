"""Where commands write: results on standard output, all else on standard error; and the contexts that tell there."""

from rich.console import Console
from rich.text import Text

from hubpod.context import Context, prepare
from hubpod.errors import HubpodError
from hubpod.system.progress import ConsoleReporter, marks
from tasks.shell import WORKSPACE

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def print_error(error: HubpodError) -> None:
    """Print an error with its detail and its remedy."""
    signs = marks(err)
    err.print(Text.assemble((signs.bad, "red"), f" {error.message}"), soft_wrap=True)
    for line in error.detail:
        err.print(Text(f"  {line}"), soft_wrap=True)
    if error.remedy:
        err.print(Text(f"{signs.remedy} {error.remedy}"), soft_wrap=True)


def reporter() -> ConsoleReporter:
    """Tells what a command does."""
    return ConsoleReporter(console=err)


def loud() -> Context:
    """For commands that tell what they do."""
    return prepare(WORKSPACE, reporter())


def quiet() -> Context:
    """For commands whose output is the point: nothing is told but errors."""
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))
