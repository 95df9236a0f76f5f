"""Groups of tests that stay in one worker of pytest-xdist, with `--dist loadgroup`."""

import pytest


def assign_group(item: pytest.Item, group: str) -> None:
    """Put a test into a group, in a ``pytest_collection_modifyitems`` that is called before pytest-xdist's own.

    pytest-xdist 3.8 tells the group to its scheduler behind the test's name, which pytest 9.2 keeps in another place
    than it writes to: https://github.com/pytest-dev/pytest-xdist/issues/1386. Without a word, no group is kept then.
    """
    item.add_marker(pytest.mark.xdist_group(group))
    structured = getattr(item, "id", None)
    if structured is not None and item.config.getoption("loadgroup", default=False):
        item._id = type(structured).parse(f"{item.nodeid}@{group}")  # noqa: SLF001
