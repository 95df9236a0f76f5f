"""Consoles for results on standard output and for everything else on standard error."""

from rich.console import Console
from rich.text import Text

from hubpod.cli.checkout import WORKSPACE
from hubpod.context import Context, prepare
from hubpod.errors import HubpodError
from hubpod.system.progress import ConsoleReporter, marks

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
    """Return a reporter that prints phases to standard error."""
    return ConsoleReporter(console=err)


def verbose_context() -> Context:
    """Prepare the context of a command that prints its progress."""
    return prepare(WORKSPACE, reporter())


def quiet_context() -> Context:
    """Prepare the context of a command that prints only its result and errors."""
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))
