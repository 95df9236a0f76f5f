"""Waiting until a notebook could be spawned, and saying what is missing when it cannot."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from hubpod.components import jupyterhub, proxy, slurm
from hubpod.environments import Instance
from hubpod.errors import NotReadyError
from hubpod.pod import Container, PodSpec
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.system.loopback import fetch_status
from hubpod.system.polling import CheckResult, Condition, poll
from hubpod.system.process import CommandError

READY_TIMEOUT_S = 120.0
ASK_TIMEOUT_S = 20.0
PAGE_EVERY_S = 0.1
EXECUTE_EVERY_S = 0.3
LOOK_EVERY_S = 1.0
"""Seconds between two questions inside a container, and two looks for those that have ended: podman's work takes the
processor from those who start. Asking for a page takes next to nothing."""

LOG_LINES = 15
LASTING_S = 3.0
"""A Zenith server looks at a client's configuration after it has confirmed it; a client that is refused ends then."""

LOGIN_PAGE = "login page"

MAX_RESTARTS = 2
"""A container that ended this often while the pod starts will not come up by waiting."""

REMEDY = "correct the cause and run the command again"
KEEP_REMEDY = f"{REMEDY}, or add --keep and look with `invoke dev.logs`"


def ask_container(podman: Podman, name: str, argv: tuple[str, ...]) -> CheckResult:
    """Run a container's own readiness command once."""
    try:
        result = podman.execute(name, argv, timeout_s=ASK_TIMEOUT_S)
    except CommandError:
        return CheckResult(ready=False, reason=f"no answer within {ASK_TIMEOUT_S:.0f} s")
    lines = result.last_lines
    last = lines[-1] if lines else f"status {result.returncode}"
    return CheckResult(ready=result.ok, reason="" if result.ok else last)


def ask_log(podman: Podman, labels: Mapping[str, str], name: str, line: str) -> CheckResult:
    """See once whether a container has written a line since it was last started, and goes on."""
    state = podman.containers(labels).get(name)
    running = state is not None and state.state == "running"
    lines = podman.log(name, since=state.started).splitlines() if state and running else []
    ready = any(line in each for each in lines)
    if state and ready and time.time() - state.started < LASTING_S:
        return CheckResult(ready=False, reason="it has just begun")
    return CheckResult(ready=ready, reason="" if ready else (lines[-1] if lines else "it has written nothing"))


def ask_hub(url: str) -> CheckResult:
    """Ask for the page where a person logs in, through the proxy."""
    try:
        status = fetch_status(f"{url.rstrip('/')}/hub/login", ASK_TIMEOUT_S)
    except ConnectionError as error:
        return CheckResult(ready=False, reason=str(error))
    # Without a token the JWT login answers 401, which is an answer of a hub that works.
    ok = status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_FOUND
    return CheckResult(ready=ok, reason="" if ok else f"status {status}")


def wait_until_ready(  # noqa: PLR0913 - whom to ask, for what and for how long
    podman: Podman,
    instance: Instance,
    spec: PodSpec,
    url: str,
    on_detail: Callable[[str], None],
    *,
    started: Mapping[str, int] | None = None,
    timeout_s: float = READY_TIMEOUT_S,
) -> None:
    """Wait for every container and, where it is published, for the login page at its address, side by side.

    Args:
        podman: To ask.
        instance: Whose containers they are.
        spec: The containers.
        url: Where the hub is published; empty where it is not.
        on_detail: Told what is waited for.
        started: When containers were started, by podman's name, that are given up as soon as they end once.
        timeout_s: Seconds to wait.

    Raises:
        NotReadyError: One of them is not ready in time, or a container has ended; carries its last log lines.
    """
    begun = time.monotonic()
    look_at, deadline = begun + LOOK_EVERY_S, begun + timeout_s
    with poll(_conditions(podman, instance, spec, url)) as poller:
        while poller.pending:
            on_detail("; ".join(condition.description for condition in poller.pending.values()))
            poller.wait(max(0.0, min(look_at, deadline) - time.monotonic()))
            waited = "; ".join(f"{each.description} ({poller.reasons[name]})" for name, each in poller.pending.items())
            if waited and time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_EVERY_S
                _check_none_ended(podman, instance, spec, started or {}, waited)
            if waited and time.monotonic() >= deadline:
                blamed = next((name for name in poller.pending if name != LOGIN_PAGE), "jupyterhub")
                late = f"not ready within {timeout_s:.0f} s: {waited}"
                raise _not_ready(podman, instance, spec, f"{spec.name}-{blamed}", late)


def _conditions(podman: Podman, instance: Instance, spec: PodSpec, url: str) -> dict[str, Condition]:
    """What has to be true, by the container's name; the published login page is asked for from outside alone."""
    found = {
        container.name: Condition(
            description=container.waits_for, check=_asker(podman, instance, spec, container), interval_s=EXECUTE_EVERY_S
        )
        for container in spec.containers
        if container.ready_line or (container.ready and not (url and container.ready == proxy.READY))
    }
    if url:
        page = f"the login page at {url}"
        found[LOGIN_PAGE] = Condition(description=page, check=lambda: ask_hub(url), interval_s=PAGE_EVERY_S)
    if {slurm.NAME, jupyterhub.NAME} <= found.keys():
        # As long as everything starts, the hub's way to Slurm is known to be closed.
        opens = frozenset({slurm.NAME, LOGIN_PAGE} & found.keys())
        found[jupyterhub.NAME] = replace(found[jupyterhub.NAME], after=opens)
    return found


def _check_none_ended(
    podman: Podman, instance: Instance, spec: PodSpec, started: Mapping[str, int], waited: str
) -> None:
    states = podman.containers(instance.labels).values()
    ended = next((state.name for state in states if _given_up(state, started)), "")
    if ended:
        raise _not_ready(podman, instance, spec, ended, f"a container ended while waiting for {waited}")


def _asker(podman: Podman, instance: Instance, spec: PodSpec, container: Container) -> Callable[[], CheckResult]:
    name = f"{spec.name}-{container.name}"
    if container.ready:
        return lambda: ask_container(podman, name, container.ready)
    return lambda: ask_log(podman, instance.labels, name, container.ready_line)


def _given_up(state: ContainerState, started: Mapping[str, int]) -> bool:
    ended_once = state.name in started and (state.started != started[state.name] or state.state != "running")
    return (
        ended_once
        or state.restarts > MAX_RESTARTS
        or (state.state in {"exited", "stopped", "dead"} and state.exit_code != 0)
    )


def _not_ready(podman: Podman, instance: Instance, spec: PodSpec, container: str, message: str) -> NotReadyError:
    lines = podman.log(container).splitlines()[-LOG_LINES:]
    return NotReadyError(
        message,
        detail=(f"last lines of {container.removeprefix(spec.name + '-')}:", *lines),
        remedy=KEEP_REMEDY if instance.environment.stage.can_keep_failed_pod else REMEDY,
    )
