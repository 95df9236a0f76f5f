"""The README's tables and the example files, rendered from the tables of the code."""

import reference
from hubpod.settings import key_files


def test_the_readme_gets_the_table_of_files_at_its_marker() -> None:
    """The README gets one row for each file that some environment requires."""
    names = ("environments", "containers", "settings", "files")
    marks = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in names)

    text = reference.replace_tables(marks)

    assert all(f"| `{row.name}` | {row.meaning} |" in text for row in key_files.FILES if not row.optional)
    assert reference.replace_tables(text) == text


def test_the_examples_are_current() -> None:
    """The directory examples/ has exactly the rendered files.

    `./run nox -s generated` writes them.
    """
    directory = reference.PROJECT / "examples"

    assert {
        str(file.relative_to(directory)): file.read_text() for file in directory.rglob("*.yaml")
    } == reference.render_examples()
