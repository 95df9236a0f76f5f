"""The files of a source."""

from pathlib import Path

import pytest

from hubpod.components.site import files_below
from hubpod.sources import content


def test_links_that_stay_inside_become_their_targets(tmp_path: Path) -> None:
    """A link that leads out of the source, or to what is left out, brings nothing in."""
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / ".tox").mkdir()
    for path in (source / "code.py", source / "data" / "x", source / ".tox" / "token", tmp_path / "secret"):
        path.write_text(path.name)
    links = {"file": "code.py", "folder": "data", "out": "../secret", "ignored": ".tox/token", "nothing": "nowhere"}
    for name, target in links.items():
        (source / name).symlink_to(target)

    found = {file.path: file.content for file in content.snapshot(source)}

    assert found == {"code.py": b"code.py", "data/x": b"x", "file": b"code.py", "folder/x": b"x"}


@pytest.mark.parametrize("name", [".code.py.swp", "code.py~", ".#code.py", "#code.py#", "4913", "code.py___jb_tmp___"])
def test_scratch_files_of_editors_are_left_out(tmp_path: Path, name: str) -> None:
    """They are neither code nor configuration."""
    (tmp_path / "code.py").write_text("")
    (tmp_path / name).write_text("")

    assert [file.path for file in content.snapshot(tmp_path)] == ["code.py"]
    assert [file.path for file in files_below(tmp_path)] == ["code.py"]
