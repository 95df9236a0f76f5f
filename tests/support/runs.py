"""Runs of pytest with the harness, as an engineer types them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from support.instances import PROJECT, CommandResult, run_command


def pytest_argv(*words: str) -> list[str]:
    """The argument list of a run that leaves nothing in the checkout."""
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *words]


def run_pytest(*words: str, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> CommandResult:
    """Run pytest to its end."""
    return run_command(pytest_argv(*words), env={"PYTHONPATH": str(PROJECT), **(env or {})}, cwd=cwd)


def path_without(folder: Path, *missing: str) -> str:
    """A PATH with everything but some programs: links to all others in a new folder."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if program.name not in missing and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def program(folder: Path, name: str, script: str) -> str:
    """A PATH on which a program of that name comes first."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
