"""Fixtures of all unit tests."""

import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from hubpod.cli import reporting
from hubpod.system import private_files
from support.signals import take_interrupts

# The same examples in each run, so that a failure belongs to the change that is tested.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Share the byte code of the commands that tests start, in a temporary directory.

    Where Python may not keep the byte code beside the sources, a command otherwise spends most of its time compiling.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Let interrupts reach the commands that tests start."""
    take_interrupts()


@pytest.fixture(autouse=True)
def no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signals of this process to pytest, also where a command is called in it."""
    monkeypatch.setattr(reporting, "INTERRUPTS", ())


@pytest.fixture(autouse=True)
def own_locks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the locks of these tests away from the commands of this machine's user."""
    monkeypatch.setattr(private_files, "USERS", tmp_path_factory.getbasetemp())
