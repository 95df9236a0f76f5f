"""Each claim of docs/security.md names a test."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "security.md").read_text()
PROOFS = sorted(set(re.findall(r"`([\w./-]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), PROOFS, ids=[name for _, name in PROOFS])
def test_each_named_test_exists(path: str, name: str) -> None:
    """Each test that the page names exists in the named file."""
    nodes = ast.walk(ast.parse((PROJECT / path).read_text()))

    assert name in {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_row_of_protections_names_a_test() -> None:
    """Each row of the tables of protections names at least one test."""
    tables = TEXT[TEXT.index("## 1 and 2") : TEXT.index("## Try it")]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and "proven by" not in line]

    assert rows
    assert not [row for row in rows if "::test_" not in row]
