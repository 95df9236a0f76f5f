"""Explain a failed test, and write its artifacts."""

import re
from pathlib import Path

import pytest

from hubpod.client import HubError
from hubpod.errors import HubpodError
from hubpod_harness import diagnosis, log_excerpts
from hubpod_harness.redaction import Redactor
from hubpod_harness.stacks import StackManager

LOG_CHARACTERS = 100_000
NAME_CHARACTERS = 120


def explain(manager: StackManager, error: BaseException) -> None:
    """Add an excerpt of the hub's log to an error. pytest prints notes below the traceback."""
    if isinstance(error, HubpodError):
        for line in (*error.detail, *([error.remedy] if error.remedy else [])):
            error.add_note(line)
    for stack in manager.used:
        if not isinstance(error, HubError | AssertionError):
            return
        log = Redactor(stack.secrets).text(stack.log("jupyterhub", since=manager.started_at)[-LOG_CHARACTERS:])
        lines = log_excerpts.excerpt(error, log.splitlines())
        if isinstance(error, HubError):
            error.hub_log = lines
        if lines:
            error.add_note(f"excerpt of the log of the hub {stack.site.instance.name}:")
            for line in lines:
                error.add_note(f"  {line}")


def write_artifacts(manager: StackManager, item: pytest.Item, report: pytest.TestReport) -> Path:
    """Write the artifacts of a failed test, one directory per used stack, and return the path."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{item.nodeid}-{report.when}").strip("-")[-NAME_CHARACTERS:]
    directory = manager.options.artifacts / name
    page = getattr(item, "funcargs", {}).get("page")
    for stack in manager.used:
        diagnosis.write(
            directory / stack.site.instance.name,
            stack,
            sessions=stack.hub.client.sessions,
            page=page,
            error=str(report.longrepr),
        )
    return directory
