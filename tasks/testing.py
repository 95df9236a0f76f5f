"""The harness's suite as a part of `dev.watch`: which Python runs it, which tests, and with which sources."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from hubpod.environments import Environment
from hubpod.errors import HubpodError, MachineError, UsageError
from hubpod.request import UpRequest
from hubpod.sources.clones import SOURCES
from hubpod.system import process
from tasks.shell import WORKSPACE

SESSION = "integration"
"""The session of noxfile.py whose virtual environment has what the harness needs; that of `./run` has it not."""

OUTCOMES = {0: "passed", 1: "failed", 5: "there is none any more"}
"""What pytest's exit codes mean (https://docs.pytest.org/en/stable/reference/exit-codes.html)."""

WRONG, NONE = 4, 5
ERROR = "ERROR: "


def pytest_command(request: UpRequest, expression: str, python: str = sys.executable) -> Sequence[str]:
    """The tests of the harness's suite that match, with the sources that are watched, on a stack that stays."""
    folders = {source.name: source.clone(WORKSPACE.project) for source in SOURCES}
    folders |= {name: origin.folder for name, origin in request.origins.items() if origin.folder}
    return (
        *(python, "-m", "pytest", "-q", str(WORKSPACE.project / "harness" / "suite"), "-k", expression),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
        *(f"--hubpod-source={name}={folder}" for name, folder in folders.items()),
        f"--hubpod-environment={request.instance.environment.name}",
        "--hubpod-reuse",
    )


def python_with_harness() -> str:
    """A Python that has what the harness needs: this one, else that of a session of nox, which is made if need be.

    Raises:
        MachineError: It cannot be made; nox has told why.
    """
    if find_spec("testcontainers"):
        return sys.executable
    folder = WORKSPACE.project / ".nox"
    words = ("-f", str(WORKSPACE.project / "noxfile.py"), "--envdir", str(folder), "-s", SESSION, "--install-only")
    if process.attach([sys.executable, "-m", "nox", *words]):
        raise MachineError(
            "the environment that --test needs could not be made", remedy="see above what stood in the way"
        )
    return str(folder / SESSION / "bin" / "python")


def require_tests(command: Sequence[str], expression: str, environment: Environment) -> None:
    """See that there is something to run, before somebody waits for it.

    Raises:
        UsageError: No test matches, or pytest does not understand the expression.
        HubpodError: The tests cannot be collected.
    """
    result = process.run([*command, "--collect-only"], check=False)
    lines = (result.stdout + result.stderr).splitlines()
    if result.returncode == NONE:
        raise UsageError(
            f"--test {expression}: no test of harness/suite for {environment.name} matches",
            remedy="it is what `pytest -k` takes: parts of names, joined by and, or, not",
        )
    if result.returncode == WRONG:
        said = next((line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)), "not understood")
        raise UsageError(f"--test {expression}: {said}", remedy="it is what `pytest -k` takes")
    if not result.ok:
        raise HubpodError("the tests of harness/suite cannot be collected", detail=lines[-process.LAST_LINES :])
