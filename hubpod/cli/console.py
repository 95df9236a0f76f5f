"""Consoles for results on standard output and for everything else on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from hubpod.cli.checkout import WORKSPACE
from hubpod.context import Context, prepare
from hubpod.errors import HubpodError
from hubpod.instances import Instance
from hubpod.system.progress import ConsoleReporter, marks

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def machine_context(subject: str) -> Context:
    """Name what a command works on if that is not one instance, and prepare its context."""
    err.print(Text(subject), soft_wrap=True)
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))


@contextmanager
def dry_context(instance: Instance) -> Iterator[Context]:
    """Name the instance, and prepare a context whose private directory is a copy."""
    name_instance(instance)
    with WORKSPACE.copied() as workspace:
        yield prepare(workspace, ConsoleReporter(console=Console(quiet=True)))


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


def name_instance(instance: Instance) -> None:
    """Print the environment and the instance that a command works on, as its first line."""
    err.print(Text(str(instance)), soft_wrap=True)


def verbose_context(instance: Instance, *, named: bool = True) -> Context:
    """Prepare the context of a command that prints its progress.

    The arguments are those of ``quiet_context``.
    """
    if named:
        name_instance(instance)
    return prepare(WORKSPACE, reporter())


def quiet_context(instance: Instance, *, named: bool = True) -> Context:
    """Prepare the context of a command that prints only its result and errors.

    Args:
        instance: The instance, which is named first.
        named: Whether to name it; false where the first line of the result does.
    """
    if named:
        name_instance(instance)
    return prepare(WORKSPACE, ConsoleReporter(console=Console(quiet=True)))
