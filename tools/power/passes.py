"""The two passes over a fault: unit tests of the affected package, and the shipped suite."""

import os
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from hubpod.system import process
from power.copies import PACKAGES, Copy
from power.fault import Fault, FaultError

UNIT_TIMEOUT_S = 600.0
OPTIONS = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
FAILED = 1  # pytest's own statuses
PASSED = 0
# The test module that most likely catches a fault in a module. Running it first saves time.
NEAREST = {
    **dict.fromkeys(("authenticator", "tokens", "projects", "login_errors"), "login"),
    **dict.fromkeys(("slurm", "messages"), "slurm"),
    **{name: name for name in ("keys", "options", "jobscript", "hub_handlers", "checks", "issuer_check")},
    "__init__": "wrappers",
}
NEAREST_DEFAULT = "spawn"
HUB_CONFIGURATION = [
    f"tests/unit/volumes/test_{name}.py"
    for name in ("hub_configuration", "login_dummy", "published_api", "hub_settings", "job_script")
]
# The tests of what hubpod itself does to an instance, and of the programs in its images.
INSTANCES = [
    *(f"tests/unit/{name}" for name in ("deployment", "commands", "podman", "settings", "system", "containers")),
    *(f"tests/unit/test_{name}.py" for name in ("instances", "pod", "workspace")),
]
SUITE = {
    "login_dummy": ("login_form",),
    **dict.fromkeys(("login_jwt", "authenticator", "tokens", "projects", "keys", "login_errors"), ("login",)),
    **dict.fromkeys(
        ("slurm_pod", "spawner", "job_status", "slurm", "messages", "progress_events", "commands"),
        ("end", "spawn", "hub_restart"),
    ),
}
SUITE_DEFAULT = ("spawn", "end", "hub_restart")
TIMEOUT = "timeout after {:.0f} s"


class Pass(Enum):
    """A pass, by its name in the results."""

    UNIT = "unit"
    INTEGRATION = "integration"


def run(which: Pass, copy: Copy, fault: Fault | None = None, *, first: bool = False) -> tuple[str, ...]:
    """Run a pass in a copy, and return the names of the failing tests.

    Args:
        which: The pass.
        copy: The copy.
        fault: The fault in the copy, which selects the tests; None to run all.
        first: Stop the unit tests at the first failure.

    Raises:
        FaultError: pytest did not run the tests.
        KeyboardInterrupt: The developer pressed Ctrl-C.
    """
    report = copy.project.parent / f"{which.value}.xml"
    if which is Pass.INTEGRATION:
        return _integration(copy, report, fault)
    paths = unit_paths(fault, copy.project)
    return _unit(copy, ["-x", *paths] if first else paths, report) if paths else ()


def unit_paths(fault: Fault | None, project: Path) -> list[str]:
    """List the test modules for a fault, the most likely first, or all without a fault.

    The packages are independent, and the hub configuration and the tool have tests of their own. The golden manifests
    are left out: they fail after any change, and so measure nothing.
    """
    if fault and fault.file.startswith("volumes/"):
        return HUB_CONFIGURATION
    if fault and not fault.file.startswith("packages/"):
        part = fault.file.split("/")[1] if fault.file.startswith("hubpod/") else "containers"
        return sorted(INSTANCES, key=lambda path: path != f"tests/unit/{part}")
    own = [name for name in PACKAGES if fault is None or fault.file.startswith(f"packages/{name}/")]
    modules = [path for name in own for path in sorted((project / "packages" / name / "tests").glob("test_*.py"))]
    nearest = f"test_{NEAREST.get(Path(fault.file).stem, NEAREST_DEFAULT)}.py" if fault else ""
    paths = [str(path.relative_to(project)) for path in sorted(modules, key=lambda path: path.name != nearest)]
    return paths if fault else [*paths, *HUB_CONFIGURATION, *INSTANCES]


def _unit(copy: Copy, arguments: Sequence[str], report: Path) -> tuple[str, ...]:
    argv = [str(copy.python), "-m", "pytest", *OPTIONS, f"--junitxml={report}", *arguments]
    try:
        result = process.run(argv, cwd=copy.project, env=_environment(copy), check=False, timeout_s=UNIT_TIMEOUT_S)
    except process.CommandError:
        return (TIMEOUT.format(UNIT_TIMEOUT_S),)
    return _read_outcome(result.returncode, report, result.last_lines)


def suite_paths(fault: Fault | None, project: Path) -> list[str]:
    """List the modules of the shipped suite, the most likely to catch the fault first."""
    stem = Path(fault.file).stem.partition(".")[0] if fault else ""
    first = SUITE.get(stem, SUITE_DEFAULT)
    modules = sorted((project / "harness" / "suite").glob("test_*.py"))
    order = {f"test_{name}": number for number, name in enumerate(first)}
    return [
        str(path.relative_to(project)) for path in sorted(modules, key=lambda path: order.get(path.stem, len(order)))
    ]


def _integration(copy: Copy, report: Path, fault: Fault | None) -> tuple[str, ...]:
    sources = [f"--hubpod-source={name}={copy.package(name)}" for name in PACKAGES]
    argv = [
        str(copy.python),
        "-m",
        "pytest",
        "-x",
        *OPTIONS,
        f"--junitxml={report}",
        *sources,
        *suite_paths(fault, copy.project),
    ]
    # Attached to the terminal, so that the suite handles Ctrl-C and removes its containers.
    line = f"cd {shlex.quote(str(copy.project))} && exec {shlex.join(argv)}"
    status = process.attach(["sh", "-c", line], env=_environment(copy))
    if status > process.SIGNAL_EXIT_BASE:
        raise KeyboardInterrupt
    return _read_outcome(status, report, ())


def _environment(copy: Copy) -> dict[str, str]:
    """Return this process's environment without variables that lead to the original project."""
    first = os.pathsep.join(str(copy.package(name) / "src") for name in PACKAGES)
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTEST_ADDOPTS"}}
    path = f"{copy.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return kept | {"PYTHONPATH": first, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _read_outcome(status: int, report: Path, output: Sequence[str]) -> tuple[str, ...]:
    failing = failing_tests(report) if report.is_file() else ()
    if status not in (PASSED, FAILED) or bool(failing) != (status != PASSED):
        raise FaultError(f"pytest exited with status {status} without naming the failing tests", detail=output)
    return failing


def failing_tests(report: Path) -> tuple[str, ...]:
    """Return the names of the tests that failed or had an error, from a JUnit report."""
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - written by our own pytest
    bad = (case for case in cases if case.find("failure") is not None or case.find("error") is not None)
    return tuple(dict.fromkeys("::".join(filter(None, (case.get("classname"), case.get("name")))) for case in bad))
