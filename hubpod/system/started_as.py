"""The command line by which the user started hubpod, for remedies that name a command."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LAUNCHER_VARIABLE = "HUBPOD_LAUNCHER"
"""Set by ./run: the launcher as it was typed."""

PROGRAMS = ("invoke", "inv", "hubpod")
SEARCH_ROOT = ("-r", "--search-root")


def command_line(*words: str) -> str:
    """Return a command as the user would type it after the one that runs, such as ``./run invoke dev.up -i mine``."""
    return shlex.join([*find_program(sys.argv, os.environ), *words])


def find_program(argv: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Return the words that start hubpod's program again.

    Args:
        argv: Argument list of the running program. Programs other than invoke and hubpod are taken for ``invoke``.
        variables: Environment variables.
    """
    typed = Path(argv[0]) if argv else Path()
    if launcher := variables.get(LAUNCHER_VARIABLE):
        return [launcher, "invoke"]
    if typed.name == "__main__.py" and typed.parent.name == "invoke":
        return ["python", "-m", "invoke", *_search_root(argv)]
    if typed.name not in PROGRAMS:
        return ["invoke"]
    on_path = shutil.which(typed.name, path=variables.get("PATH"))
    return [typed.name if on_path == argv[0] else argv[0], *_search_root(argv)]


def _search_root(argv: Sequence[str]) -> list[str]:
    """Return invoke's option for another directory with a tasks.py, if it was given."""
    for number, word in enumerate(argv):
        if word == "--":
            break
        if word in SEARCH_ROOT:
            return list(argv[number : number + 2])
        if word.startswith(f"{SEARCH_ROOT[1]}="):
            return [word]
    return []
