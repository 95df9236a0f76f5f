"""Groups of tests that run in the same worker of pytest-xdist, with `--dist loadgroup`."""

import pytest


def assign_group(item: pytest.Item, group: str) -> None:
    """Assign a test to a group that runs in one worker of pytest-xdist.

    The caller is a ``pytest_collection_modifyitems`` that runs before the one of pytest-xdist.

    pytest-xdist 3.8 passes the group to its scheduler as a suffix of the test's name. pytest 9.2 stores the name
    elsewhere, so that groups are ignored: https://github.com/pytest-dev/pytest-xdist/issues/1386.
    """
    item.add_marker(pytest.mark.xdist_group(group))
    structured = getattr(item, "id", None)
    if structured is not None and item.config.getoption("loadgroup", default=False):
        item._id = type(structured).parse(f"{item.nodeid}@{group}")  # noqa: SLF001
