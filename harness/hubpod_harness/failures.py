"""What is told and kept when a test fails."""

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


def explain(kit: StackManager, error: BaseException) -> None:
    """Add to an error what a stranger needs to see what broke: pytest prints notes below the traceback."""
    if isinstance(error, HubpodError):
        for line in (*error.detail, *([error.remedy] if error.remedy else [])):
            error.add_note(line)
    for stack in kit.used:
        if not isinstance(error, HubError | AssertionError):
            return
        lines = Redactor(stack.secrets).text(stack.log("jupyterhub", since=kit.begun)[-LOG_CHARACTERS:]).splitlines()
        telling = log_excerpts.excerpt(error, lines)
        if isinstance(error, HubError):
            error.hub_log = tuple(telling)
        if telling:
            error.add_note(f"what the log of the hub {stack.site.instance.name} says:")
            for line in telling:
                error.add_note(f"  {line}")


def keep(kit: StackManager, item: pytest.Item, report: pytest.TestReport) -> Path:
    """Write the folder of a failed test, with one folder in it for each stack that it has used; return its path."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{item.nodeid}-{report.when}").strip("-")[-NAME_CHARACTERS:]
    folder = kit.options.artifacts / name
    page = getattr(item, "funcargs", {}).get("page")
    for stack in kit.used:
        diagnosis.write(
            folder / stack.site.instance.name,
            stack,
            sessions=stack.hub.client.sessions,
            page=page,
            error=str(report.longrepr),
        )
    return folder
