"""The hub's page about its needs: `status` below the hub's prefix, as HTML or JSON.

Every user who has logged in sees which needs are met. Reasons name hosts and settings, so that only administrators see
them.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from jupyterhub.handlers import BaseHandler  # type: ignore[import-untyped]
from tornado import web

from hubpod_checks.answers import NOT_READY
from hubpod_checks.hub_settings import NEEDS

PROGRAM = "hubpod-ready"
FRESH_S = 10.0
"""Seconds for which all users share the answers, because each check starts commands on the Slurm host."""

TEMPLATE = """\
{% extends "page.html" %}
{% block main %}
<div class="container">
<h1>{{ status.state }}</h1>
<table class="table">
<tr><th>need</th><th>state</th><th>reason</th></tr>
{% for each in status.needs %}
<tr id="need-{{ each.need }}"><td>{{ each.title }}</td><td>{{ each.state }}</td><td>{{ each.text }}</td></tr>
{% endfor %}
</table>
</div>
{% endblock %}
"""


def describe(lines: Sequence[str], titles: Mapping[str, str], *, reasons: bool) -> dict[str, Any]:
    """Return the page's content for the lines that the program printed.

    Args:
        lines: A line of JSON about each need.
        titles: The title of each need of hubpod's list; one without a line is named as not checked.
        reasons: Whether to show them.
    """
    found = {row["need"]: row for row in map(json.loads, lines)}
    rows = [
        {
            "need": name,
            "title": title,
            "state": found.get(name, {}).get("state", "not checked"),
            "text": found.get(name, {}).get("text", "") if reasons else "",
        }
        for name, title in titles.items()
    ]
    return {"state": NOT_READY if any(row["state"] == NOT_READY for row in rows) else "ready", "needs": rows}


def read_titles() -> dict[str, str]:
    """Read the titles of hubpod's list of needs."""
    return {each["name"]: each["title"] for each in json.loads(NEEDS.read_text())["needs"]}


class StatusPage(BaseHandler):  # type: ignore[misc]
    """The page."""

    _latest: ClassVar[tuple[float, tuple[str, ...]]] = (float("-inf"), ())
    _running: ClassVar["asyncio.Task[None] | None"] = None

    @web.authenticated
    async def get(self) -> None:
        """Show the needs, with reasons for administrators."""
        status = describe(await self.lines(), read_titles(), reasons=bool(self.current_user.admin))
        if "application/json" in self.request.headers.get("Accept", ""):
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps(status))
            return
        template = self.settings["jinja2_env_sync"].from_string(TEMPLATE)
        self.finish(template.render(**self.template_namespace, status=status))

    async def lines(self) -> tuple[str, ...]:
        """Return the program's lines, at most FRESH_S seconds old; all requests share one run."""
        cls = type(self)
        if time.monotonic() - cls._latest[0] > FRESH_S:
            if cls._running is None:
                cls._running = asyncio.ensure_future(cls._run())
            await asyncio.shield(cls._running)
        return cls._latest[1]

    @classmethod
    async def _run(cls) -> None:
        try:
            done = await asyncio.to_thread(
                subprocess.run, [PROGRAM], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
            cls._latest = (time.monotonic(), tuple(done.stdout.splitlines()))
        finally:
            cls._running = None
