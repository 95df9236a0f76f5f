"""docs/security.md claims nothing that no test proves."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "security.md").read_text()
PROOFS = sorted(set(re.findall(r"`([\w./-]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), PROOFS, ids=[name for _, name in PROOFS])
def test_a_proof_is_a_test_that_exists(path: str, name: str) -> None:
    """Each test that is named is there, in the file that is named."""
    nodes = ast.walk(ast.parse((PROJECT / path).read_text()))

    assert name in {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_claim_has_a_proof() -> None:
    """No row of the tables of protections stands without a test."""
    tables = TEXT[TEXT.index("## 1 and 2") : TEXT.index("## Try it")]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and "proven by" not in line]

    assert rows
    assert not [row for row in rows if "::test_" not in row]
