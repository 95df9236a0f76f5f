"""The measurement of the structure, on a made-up checkout."""

from pathlib import Path

import pytest

import structure

FILES = {
    "hubpod/__init__.py": "",
    "hubpod/errors.py": "",
    "hubpod/low/__init__.py": "",
    "hubpod/low/base.py": "from hubpod.errors import HubpodError\n",
    "hubpod/high/__init__.py": "",
    "hubpod/high/one.py": "from hubpod.low import base\nfrom hubpod.high.two import other\n",
    "hubpod/high/two.py": "import hubpod.low.base\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with a small package."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_floors_count_from_the_module_that_imports_nothing(checkout: Path) -> None:
    """A module stands one floor above the highest module that it imports."""
    floors = structure.measure_floors(structure.find_imports(structure.find_modules(checkout)))

    assert (floors["hubpod.errors"], floors["hubpod.low.base"]) == (1, 2)
    assert (floors["hubpod.high.two"], floors["hubpod.high.one"]) == (3, 4)


def test_a_circle_has_no_floor(checkout: Path) -> None:
    """Modules that import each other, and modules above them, are reported."""
    (checkout / "hubpod" / "errors.py").write_text("from hubpod.low import base\n")

    floors = structure.measure_floors(structure.find_imports(structure.find_modules(checkout)))

    assert floors["hubpod.errors"] == floors["hubpod.low.base"] == floors["hubpod.high.one"] == 0


def test_the_report_counts_packages_and_lines(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Imports inside a package do not count between packages."""
    structure.main(checkout)

    report = capsys.readouterr().out
    assert "7 modules on 4 floors, 4 imports between them\n" in report
    assert "4 packages on 3 floors, 2 imports between them\n" in report
    assert report.endswith("4 lines in all\n")
