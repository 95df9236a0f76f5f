"""Groups of tests, which one worker of pytest-xdist runs in any version of pytest."""

import re
from collections import defaultdict
from pathlib import Path

from support.runs import run_pytest

CONFTEST = """
import pytest
from hubpod_harness.groups import assign_group

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        assign_group(item, item.name.partition("[")[0])
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_one(number): pass

@pytest.mark.parametrize("number", range(4))
def test_other(number): pass
"""


def test_a_group_stays_in_one_worker(tmp_path: Path) -> None:
    """With loadgroup no group is split, and both workers run tests."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_groups.py").write_text(TESTS)

    said = run_pytest("-n", "2", "--dist", "loadgroup", "-v", f"--rootdir={tmp_path}", str(tmp_path))

    workers: dict[str, set[str]] = defaultdict(set)
    for worker, name in re.findall(r"\[(gw\d)\].* PASSED \S*::(test_\w+)", said.text):
        workers[name].add(worker)
    assert {name: len(which) for name, which in workers.items()} == {"test_one": 1, "test_other": 1}, said.text
    assert workers["test_one"] != workers["test_other"]
