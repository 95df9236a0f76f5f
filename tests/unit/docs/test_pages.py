"""Links of the pages, and the length of decision pages."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "packages/*/README.md", "containers/*/README.md", "examples/**/*.md")
    for page in PROJECT.glob(pattern)
)
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
DECISION_MAX_LINES = 20
MODULE_DIRECTORIES = ("hubpod", "harness", "tests", "packages")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_relative_links_lead_to_files(page: Path) -> None:
    """Each link that is not a URL names a file or directory of the repository."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())

    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_page_is_short(page: Path) -> None:
    """A decision page has a title, at most 20 lines and a number of its own."""
    text = page.read_text()

    assert text.startswith("# ")
    assert len(text.splitlines()) <= DECISION_MAX_LINES
    assert [other.name for other in DECISIONS if other.name[:4] == page.name[:4]] == [page.name]


@pytest.mark.parametrize("page", [PROJECT / "ARCHITECTURE.md", PROJECT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_named_modules_exist(page: Path) -> None:
    """Each Python file that the page names exists in the repository."""
    names = set(re.findall(r"[\w/]+\.py\b", page.read_text()))
    files = {path.name for top in MODULE_DIRECTORIES for path in (PROJECT / top).rglob("*.py")} | {"tasks.py"}

    assert not {name for name in names if Path(name).name not in files}
