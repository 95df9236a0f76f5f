"""No code outside hubpod/environments.py depends on a particular value of an axis."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TABLE = PROJECT / "hubpod" / "environments.py"
AXES = {"Stage", "Login", "Slurm", "Ingress"}
FOLDERS = ("hubpod", "harness", "tasks", "tools")
MODULES = {*PROJECT.glob("*.py"), *(path for name in FOLDERS for path in (PROJECT / name).rglob("*.py"))} - {TABLE}


def decisions(source: str) -> list[str]:
    """List the axis members on which a module decides.

    Arguments of a call and defaults of a parameter are not decisions.
    """
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "hubpod.environments"
        for alias in node.names
        if alias.name in AXES
    }
    passed = {id(node) for node in _passed(tree)}
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.isupper() and id(node) not in passed
        if (isinstance(node.value, ast.Name) and node.value.id in names)
        or (isinstance(node.value, ast.Attribute) and node.value.attr in AXES)
    ]


def _passed(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)
        elif isinstance(node, ast.arguments):
            yield from (default for default in (*node.defaults, *node.kw_defaults) if default)


@pytest.mark.parametrize("path", sorted(MODULES), ids=lambda path: str(path.relative_to(PROJECT)))
def test_modules_query_traits_of_an_axis_value(path: Path) -> None:
    """No module decides by an axis member.

    A new axis value therefore makes mypy report every trait to decide.
    """
    assert decisions(path.read_text()) == []


@pytest.mark.parametrize(
    "code",
    [
        "x = environment.login is Login.JWT",
        "x = Login.JWT in values",
        "x = login in {Login.JWT, other}",
        "x = {Login.JWT: 1}",
        "x = {'issuer': Login.JWT}",
        "x = table[Login.JWT]",
        "match login:\n    case Login.JWT:\n        pass",
        "match environment:\n    case Environment(login=Login.JWT):\n        pass",
    ],
)
def test_the_check_finds_decisions_by_member(code: str) -> None:
    """Comparisons, patterns and tables by member are all reported."""
    assert len(decisions(f"from hubpod.environments import Login\n{code}")) == 1
    assert len(decisions(f"from hubpod.environments import Login as Axis\n{code}".replace("Login.", "Axis."))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "x = Environment(login=Login.JWT)",
        "x = replace(environment, login=Login.JWT)",
        "def f(login: Login = Login.JWT, *, other: Login = Login.JWT) -> None: ...",
        "x = environment.login.uses_token",
    ],
)
def test_the_check_permits_values_passed_on(code: str) -> None:
    """Constructing an environment names its axis values, and decides nothing."""
    assert decisions(f"from hubpod.environments import Login\n{code}") == []
