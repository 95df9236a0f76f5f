"""Measure the structure of hubpod/: lines, modules, imports between packages, and floors.

python tools/structure.py [CHECKOUT]

A floor is one more than the highest floor of everything that a module imports. Modules that import each other in a
circle are reported.
"""

import ast
import sys
from collections import Counter
from collections.abc import Collection
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = "hubpod"


def find_modules(checkout: Path) -> dict[str, Path]:
    """Return the modules of hubpod by dotted name, with a package for its ``__init__.py``."""
    paths = (checkout / PACKAGE).rglob("*.py")
    names = {path: ".".join(path.relative_to(checkout).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def find_imports(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Return the modules of hubpod that each module imports."""
    return {name: _imports(path, modules.keys()) - {name} for name, path in modules.items()}


def _imports(path: Path, known: Collection[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in known and name != PACKAGE}


def measure_floors(imports: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of each module, counted from 1, or 0 for a module in a circle."""
    floors: dict[str, int] = {}
    while ready := [name for name in imports.keys() - floors.keys() if imports[name] <= floors.keys()]:
        floors |= {name: 1 + max((floors[each] for each in imports[name]), default=0) for name in ready}
    return dict.fromkeys(imports, 0) | floors


def group(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the imports between packages and modules at the top of hubpod."""
    grouped: dict[str, set[str]] = {}
    for name, targets in imports.items():
        grouped.setdefault(_package(name), set()).update(map(_package, targets))
    return {name: targets - {name} for name, targets in grouped.items()}


def _package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def main(checkout: Path) -> None:
    """Print the measurements of a checkout."""
    modules = find_modules(checkout)
    lines = Counter(dict.fromkeys(map(_package, modules), 0))
    for name, path in modules.items():
        lines[_package(name)] += len(path.read_text().splitlines())
    for name, count in sorted(lines.items()):
        sys.stdout.write(f"{name:<28}{count:>6} lines\n")
    imports = find_imports(modules)
    for what, edges in (("modules", imports), ("packages", group(imports))):
        floors = measure_floors(edges)
        count = sum(map(len, edges.values()))
        sys.stdout.write(f"{len(edges)} {what} on {max(floors.values())} floors, {count} imports between them\n")
        if circles := sorted(name for name, floor in floors.items() if not floor):
            sys.stdout.write(f"in circles: {', '.join(circles)}\n")
    sys.stdout.write(f"{sum(lines.values())} lines in all\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else PROJECT)
