"""Rules of the architecture."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODULES = sorted((PROJECT / "hubpod").rglob("*.py"))
HARNESS = sorted(set((PROJECT / "harness").rglob("*.py")) - set((PROJECT / "harness" / "suite").rglob("*.py")))
ATTACK = sorted((PROJECT / "harness" / "hubpod_harness" / "attack").glob("*.py"))
TASKS = sorted((PROJECT / "hubpod_tasks").glob("*.py"))
PACKAGES = sorted((PROJECT / "packages").glob("*/src/**/*.py"))
COMMANDS = {PROJECT / "hubpod" / "cli" / f"{stage}.py" for stage in ("dev", "prod")}
"""Modules without a limit of lines: one function per command, mostly options."""
MAX_LINES = 250
MAX_FUNCTION_LINES = 50
ENVIRONMENTS_MAX_LINES = 550
FOREIGN = {"invoke", "nox", "pytest", "testcontainers", "hubpod_harness", "hubpod_tasks", "tasks"}

# A package imports only from later rows.
FLOORS = (
    {"cli"},
    {"commands"},
    {"deployment"},
    {"images", "probe"},
    {"components", "request", "context"},
    {"settings", "sources", "podman", "client"},
    {"workspace"},
    {"manifests", "instances"},
    {"system"},
    {"environments", "pods"},
    {"accounts", "pod", "labels", "errors"},
)


def package_of(module: str) -> str:
    """Return the package or top-level module of hubpod that contains a module.

    The result is empty for hubpod itself.
    """
    return module.split(".")[1] if module.startswith("hubpod.") else ""


def imports(path: Path) -> set[str]:
    """Return the dotted names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "hubpod" else {node.module}
            )
    return found


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_hubpod_imports_neither_tools_nor_harness(path: Path) -> None:
    """invoke, nox, pytest and the harness import hubpod, never the other way round."""
    assert not {name.partition(".")[0] for name in imports(path)} & FOREIGN


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_process_imports_subprocess(path: Path) -> None:
    """All processes are started in hubpod/system/process.py."""
    assert "subprocess" not in imports(path) or path.name == "process.py"


@pytest.mark.parametrize("path", HARNESS, ids=str)
def test_the_harness_imports_no_subprocess(path: Path) -> None:
    """The harness runs commands through hubpod."""
    assert "subprocess" not in imports(path)


@pytest.mark.parametrize("path", ATTACK, ids=str)
def test_the_attack_package_needs_no_test_framework(path: Path) -> None:
    """`invoke dev.attack` runs where only hubpod's own dependencies are installed."""
    own = {name for name in imports(path) if name.startswith("hubpod_harness")}
    assert all(name.startswith("hubpod_harness.attack") for name in own)
    assert not {name.partition(".")[0] for name in imports(path)} & {"pytest", "testcontainers", "jwt"}


def test_imports_point_one_way() -> None:
    """No package imports from its own row or an earlier one."""
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    pairs = {
        (path.relative_to(PROJECT / "hubpod").parts[0].removesuffix(".py"), package_of(name))
        for path in MODULES
        for name in imports(path)
        if package_of(name)
    }

    assert {one for pair in pairs for one in pair} <= floor.keys() | {"__init__"}
    assert not {(one, other) for one, other in pairs if one != other and floor[other] <= floor[one]}


@pytest.mark.parametrize(
    "path", [*MODULES, *HARNESS, *PACKAGES, *TASKS, PROJECT / "tasks.py", PROJECT / "noxfile.py"], ids=str
)
def test_modules_and_functions_are_short(path: Path) -> None:
    """Modules have at most 250 lines, functions at most 50."""
    text = path.read_text()
    if path not in COMMANDS:
        assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_the_environments_together_are_short() -> None:
    """All environments share their common configuration, so that the volumes stay small."""
    files = [path for path in (PROJECT / "volumes").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(len(path.read_text().splitlines()) for path in files) < ENVIRONMENTS_MAX_LINES
