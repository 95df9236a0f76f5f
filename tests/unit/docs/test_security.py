"""Each claim of docs/security.md names a test."""

from pathlib import Path

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "security.md").read_text()


def test_every_row_of_protections_names_a_test() -> None:
    """Each row of the tables of protections names at least one test."""
    tables = TEXT[TEXT.index("## 1 and 2") : TEXT.index("## Try it")]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and "proven by" not in line]

    assert rows
    assert not [row for row in rows if "::test_" not in row]
