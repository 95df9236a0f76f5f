"""Select tests of the harness for `dev.watch`, and find a Python that can run them."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from hubpod.cli.checkout import WORKSPACE
from hubpod.environments import Environment
from hubpod.errors import HubpodError, MachineError, UsageError
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCES
from hubpod.system import process

SESSION = "integration"
"""Session of noxfile.py with the harness's dependencies, which the virtual environment of `./run` lacks."""

OUTCOMES = {0: "passed", 1: "failed", 5: "no such test any more"}
"""Meaning of pytest's exit codes (https://docs.pytest.org/en/stable/reference/exit-codes.html)."""

USAGE_ERROR, NO_TESTS = 4, 5
ERROR = "ERROR: "


def pytest_command(request: UpRequest, expression: str, python: str = sys.executable) -> Sequence[str]:
    """Build the command that runs matching tests with the watched sources on a reusable stack."""
    directories = {source.name: source.clone(WORKSPACE.project) for source in SOURCES}
    directories |= {name: origin.directory for name, origin in request.origins.items() if origin.directory}
    return (
        *(python, "-m", "pytest", "-q", str(WORKSPACE.project / "harness" / "suite"), "-k", expression),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
        *(f"--hubpod-source={name}={directory}" for name, directory in directories.items()),
        f"--hubpod-environment={request.instance.environment.name}",
        "--hubpod-reuse",
    )


def find_python() -> str:
    """Return this Python if it can run the harness, else the Python of a nox session.

    The session is installed if necessary.

    Raises:
        MachineError: The session cannot be installed; nox has printed why.
    """
    if find_spec("testcontainers"):
        return sys.executable
    directory = WORKSPACE.project / ".nox"
    words = ("-f", str(WORKSPACE.project / "noxfile.py"), "--envdir", str(directory), "-s", SESSION, "--install-only")
    if process.attach([sys.executable, "-m", "nox", *words]):
        raise MachineError("cannot install the virtual environment that --test needs", remedy="see nox's output above")
    return str(directory / SESSION / "bin" / "python")


def require_tests(command: Sequence[str], expression: str, environment: Environment) -> None:
    """Collect the tests before the first reload, so that a wrong expression is reported at once.

    Raises:
        UsageError: No test matches, or pytest rejects the expression.
        HubpodError: The tests cannot be collected.
    """
    result = process.run([*command, "--collect-only"], check=False)
    lines = (result.stdout + result.stderr).splitlines()
    if result.returncode == NO_TESTS:
        raise UsageError(
            f"--test {expression}: no test of harness/suite for {environment.name} matches",
            remedy="give an expression of `pytest -k`: parts of names, joined by and, or, not",
        )
    if result.returncode == USAGE_ERROR:
        problem = next((line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)), "invalid expression")
        raise UsageError(f"--test {expression}: {problem}", remedy="give an expression of `pytest -k`")
    if not result.ok:
        raise HubpodError("the tests of harness/suite cannot be collected", detail=lines[-process.LAST_LINES :])
