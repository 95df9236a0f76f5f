"""Runs of pytest with the harness, in a process of their own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from support.instances import PROJECT, CommandResult, run_command


def pytest_argv(*words: str) -> list[str]:
    """Return the argument list of a run that writes nothing into the checkout."""
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *words]


def run_pytest(*words: str, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> CommandResult:
    """Run pytest."""
    return run_command(pytest_argv(*words), env={"PYTHONPATH": str(PROJECT), **(env or {})}, cwd=cwd)


def path_without(directory: Path, *missing: str) -> str:
    """Return a PATH without some programs: a new directory with links to all others."""
    directory.mkdir()
    for entry in os.environ["PATH"].split(os.pathsep):
        for program in Path(entry).glob("*"):
            link = directory / program.name
            if program.name not in missing and not link.is_symlink():
                link.symlink_to(program)
    return str(directory)


def path_with(directory: Path, name: str, script: str) -> str:
    """Write a program, and return a PATH on which it comes first."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(script)
    path.chmod(0o755)
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
