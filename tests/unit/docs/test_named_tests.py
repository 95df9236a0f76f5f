"""The pages name the test that proves a claim as ``path::name``."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PAGES = sorted((PROJECT / "docs").rglob("*.md"))
NAMED = sorted({found for page in PAGES for found in re.findall(r"`([\w./-]+\.py)::(\w+)", page.read_text())})
SITES = (PROJECT / "docs" / "testing.md").read_text().partition("\n## What sites met\n")[2].partition("\n## ")[0]


@cache
def functions(path: str) -> frozenset[str]:
    """Return the names of the functions and methods in a file of the project."""
    nodes = ast.walk(ast.parse((PROJECT / path).read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_named_test_exists(path: str, name: str) -> None:
    """Each test that a page names exists in the named file."""
    assert name.startswith("test_")
    assert name in functions(path)


def test_every_row_of_what_sites_met_names_a_test() -> None:
    """Each row of the table names a kind, its inputs and at least one test."""
    head, _, *rows = [line for line in SITES.splitlines() if line.startswith("|")]

    assert head == "| kind | inputs | tests |"
    assert rows
    assert not [row for row in rows if not re.fullmatch(r"\| [^|]+ \| .+ \| `[\w./-]+\.py::test_\w+.* \|", row)]
