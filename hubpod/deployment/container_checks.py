"""One check of a container, or of the login page from outside the pod."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from hubpod.deployment.answers import describe_missing
from hubpod.podman.cli import Podman
from hubpod.system.loopback import fetch_status
from hubpod.system.polling import CheckResult
from hubpod.system.process import CommandError

Check = Callable[[], CheckResult]

CHECK_TIMEOUT_S = 30.0

LASTING_S = 6.0
REPORTING_LASTING_S = 20.0
"""Seconds that must pass after the line of a ready container: behind a Zenith server, and behind one that reports its
negotiation to the client, whose first heartbeat is the proof.

A server confirms a client, then fetches the discovery document of its issuer, and may refuse the tunnel at last."""

REPORTS = "negotiat"
HEARTBEAT = "status 'passing'"
"""Parts of the lines of servers that report: before the confirmation, and once the tunnel works."""


def check_container(podman: Podman, name: str, argv: tuple[str, ...]) -> CheckResult:
    """Run a container's own readiness command once."""
    try:
        result = podman.execute(name, argv, timeout_s=CHECK_TIMEOUT_S)
    except CommandError:
        return CheckResult(ready=False, reason=f"no answer within {CHECK_TIMEOUT_S:.0f} s")
    lines = tuple(result.stdout.splitlines())
    if result.ok:
        return CheckResult(ready=True, lines=lines)
    last = result.last_lines[-1] if result.last_lines else f"status {result.returncode}"
    return CheckResult(ready=False, reason=describe_missing(lines) or last, lines=lines)


def check_log(podman: Podman, labels: Mapping[str, str], name: str, line: str) -> CheckResult:
    """Check once whether a running container has written a line since its last start, and has lasted since then."""
    state = podman.containers(labels).get(name)
    if not state or state.state != "running":
        return CheckResult(ready=False, reason=f"the container is {state.state if state else 'missing'}")
    lines = podman.log(name, since=state.started, timestamps=True).splitlines()
    return judge_log(lines, line, time.time())


def judge_log(lines: Sequence[str], line: str, now: float) -> CheckResult:
    """Judge a log with podman's timestamps by its ready line, at a time in seconds since the epoch."""
    at = max((number for number, each in enumerate(lines) if line in each), default=None)
    if at is None:
        last = lines[-1].partition(" ")[2] if lines else ""
        return CheckResult(ready=False, reason=last or "its log is empty")
    if any(HEARTBEAT in each for each in lines[at:]):
        return CheckResult(ready=True)
    try:
        written = datetime.fromisoformat(lines[at].partition(" ")[0]).timestamp()
    except ValueError:
        written = now
    reports = any(REPORTS in each.lower() for each in lines)
    if now - written < (REPORTING_LASTING_S if reports else LASTING_S):
        return CheckResult(ready=False, reason="it was confirmed a moment ago, and may still be refused")
    return CheckResult(ready=True)


def check_login_page(url: str) -> CheckResult:
    """Request the login page through the proxy once."""
    try:
        status = fetch_status(f"{url.rstrip('/')}/hub/login", CHECK_TIMEOUT_S)
    except ConnectionError as error:
        return CheckResult(ready=False, reason=str(error))
    # Without a token the JWT login answers 401, which is the answer of a hub that works.
    ok = status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_FOUND
    return CheckResult(ready=ok, reason="" if ok else f"status {status}")
