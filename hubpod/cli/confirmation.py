"""Ask the operator to confirm a destructive command."""

import sys

from hubpod.cli.console import err
from hubpod.errors import UsageError


def confirm(question: str) -> bool:
    """Ask a question and return whether the answer is yes.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Cannot ask: standard input is not a terminal", remedy="add --yes")
    err.print(f"{question} [y/N] ", end="", markup=False, soft_wrap=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
