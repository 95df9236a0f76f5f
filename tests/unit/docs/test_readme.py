"""Tables and length of the README."""

from pathlib import Path

from reference import replace_tables

README = Path(__file__).parents[3] / "README.md"


def test_the_tables_match_the_code() -> None:
    """The generated tables are current (`./run nox -s generated` writes them)."""
    text = README.read_text()

    assert replace_tables(text) == text


def test_the_readme_is_short() -> None:
    """The README has fewer than 160 lines."""
    assert len(README.read_text().splitlines()) < 160
