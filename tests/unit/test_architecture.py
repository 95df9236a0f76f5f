"""Rules of the architecture that a reader can rely on."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODULES = sorted((PROJECT / "hubpod").rglob("*.py"))
HARNESS = sorted(set((PROJECT / "harness").rglob("*.py")) - set((PROJECT / "harness" / "suite").rglob("*.py")))
TASKS = sorted((PROJECT / "tasks").glob("*.py"))
PACKAGES = sorted((PROJECT / "packages").glob("*/src/**/*.py"))
COMMANDS = {PROJECT / "tasks" / "dev.py"}
"""One entry per command, each of a few lines."""
MAX_LINES = 250
MAX_FUNCTION_LINES = 50
ENVIRONMENTS_MAX_LINES = 450
FOREIGN = {"invoke", "nox", "pytest", "testcontainers", "harness", "tasks"}

# From the top of the imports to their bottom; a module imports from later rows only, or from its own row.
LAYERS = (
    {"lifecycle", "production", "proofs", "running", "reload", "watch", "volumes", "reference"},
    {"rollback"},
    {"deployment", "building", "planning"},
    {"seeding", "mounted", "refresh"},
    {"request", "publish", "releases", "zenith_image"},
    {"context", "status", "doctor"},
    {"readiness", "images", "machine", "syntax"},
    {"kubernetes", "kubernetes_volumes", "kubernetes_text", "removal", "forwards"},
    {"base_image", "sources", "content", "git", "attack", "probe", "spawn_story", "kube", "components", "own_code"},
    {
        "podman",
        "podman_images",
        "podman_labelled",
        "podman_remembering",
        "podman_volumes",
        "origins",
        "client",
        "workspace",
        "settings",
        "settings_table",
        "deploy",
        "supplied",
    },
    {
        "asking",
        "credentials",
        "configmap",
        "checks",
        "ssh_files",
        "known_hosts",
        "zenith_config",
        "build_times",
        "loopback",
        "orphans",
        "podman_answers",
        "pod",
        "process",
        "progress",
        "svg",
        "timeline",
    },
    {"environments", "errors", "interrupts", "private_files", "__init__"},
)


def name_of(path: Path) -> str:
    """A module's name below hubpod, down to the package it is in."""
    return path.relative_to(PROJECT / "hubpod").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The modules that a module imports, with dots."""
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
def test_hubpod_imports_no_tool_that_drives_it(path: Path) -> None:
    """The toolkit knows neither invoke nor pytest nor the harness: they know it."""
    assert not {name.partition(".")[0] for name in imports(path)} & FOREIGN


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_only_process_imports_subprocess(path: Path) -> None:
    """There is one place where processes are started."""
    assert "subprocess" not in imports(path) or path.name == "process.py"


@pytest.mark.parametrize("path", HARNESS, ids=str)
def test_the_harness_starts_no_process_by_itself(path: Path) -> None:
    """The harness runs commands through hubpod, and never by subprocess."""
    assert "subprocess" not in imports(path)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    """No module imports from a layer above its own."""
    row = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    own = row[name_of(path)]
    above = {
        name for name in imports(path) if name.startswith("hubpod.") and row.get(name.split(".")[1], len(LAYERS)) < own
    }
    assert not above


@pytest.mark.parametrize("path", [*MODULES, *HARNESS, *TASKS, *PACKAGES, PROJECT / "noxfile.py"], ids=str)
def test_modules_and_functions_can_be_read_in_one_sitting(path: Path) -> None:
    """Modules of the toolkit, the harness and the packages have at most 250 lines, functions at most 50."""
    text = path.read_text()
    if path not in COMMANDS:
        assert len(text.splitlines()) <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


def test_the_environments_together_cost_few_lines() -> None:
    """What the environments share stands in one place, so that all five together are short."""
    files = [path for path in (PROJECT / "volumes").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(len(path.read_text().splitlines()) for path in files) < ENVIRONMENTS_MAX_LINES
