"""Tables and length of the README."""

from pathlib import Path

from hubpod.settings.reference import updated

README = Path(__file__).parents[3] / "README.md"


def test_the_tables_match_the_code() -> None:
    """The tables of environments and settings are up to date (`./run nox -s generated` writes them)."""
    text = README.read_text()

    assert updated(text) == text


def test_the_readme_is_short() -> None:
    """The README has fewer than 150 lines."""
    assert len(README.read_text().splitlines()) < 150
