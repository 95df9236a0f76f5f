"""Confirm a destructive command with the operator."""

import sys

from hubpod.cli.console import err
from hubpod.errors import UsageError


def confirm(question: str) -> bool:
    """Print a question and return whether the answer is yes.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Cannot prompt: standard input is not a terminal", remedy="add --yes")
    err.print(f"{question} [y/N] ", end="", markup=False, soft_wrap=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
