"""The README tells the truth."""

from pathlib import Path

from hubpod.settings.reference import updated

README = Path(__file__).parents[3] / "README.md"


def test_the_tables_are_those_of_the_code() -> None:
    """Environments and settings in the README are current; `./run nox -s generated` makes them so."""
    text = README.read_text()

    assert updated(text) == text


def test_the_readme_stays_short() -> None:
    """A person reads it in one sitting."""
    assert len(README.read_text().splitlines()) < 150
