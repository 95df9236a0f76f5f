"""Wait until a notebook can be spawned, and report missing conditions."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, repeat

from hubpod.components import jupyterhub, zenith
from hubpod.components.assembly import components, entrance, short_name
from hubpod.components.component import Client
from hubpod.deployment.answers import Answer, read_answers, with_ingress
from hubpod.deployment.container_checks import Check, check_container, check_log, check_login_page
from hubpod.deployment.log_lines import last_lines
from hubpod.errors import NotReadyError
from hubpod.instances import Instance
from hubpod.pod import Container
from hubpod.podman.answers import ContainerState
from hubpod.podman.cli import Podman
from hubpod.pods import InstanceSpec
from hubpod.system.polling import CheckResult, Condition, Poller, poll

READY_TIMEOUT_S = 120.0
STEADY_S = 20.0
"""Seconds after which the wait is given up if the hub's check alone is missing, and always for the same reason."""

PAGE_INTERVAL_S = 0.1
COMMAND_INTERVAL_S = 0.3
ENDED_INTERVAL_S = 1.0
"""Seconds between two checks of the login page, of a container's command, and for containers that have ended.

Each call of podman takes processor time from the starting programs. A request for a page takes next to none."""

LOGIN_PAGE = "login page"

MAX_RESTARTS = 2
"""Restarts of a container during the start of its pod, above which the wait for it is given up."""

REMEDY = "correct the cause and run the command again"


def wait_until_ready(  # noqa: PLR0913 - what to check, for how long, and what is known of it
    podman: Podman,
    instance: Instance,
    spec: InstanceSpec,
    url: str,
    on_detail: Callable[[str], None],
    *,
    started: Mapping[str, int] | None = None,
    timeout_s: float = READY_TIMEOUT_S,
    first_checks: Mapping[str, Check] | None = None,
) -> tuple[Answer, ...]:
    """Wait side by side for every container and, where it is published, for the login page.

    Args:
        podman: podman.
        instance: The instance that the containers belong to.
        spec: The containers to wait for.
        url: Address at which the hub is published; empty where it is not.
        on_detail: Called with a description of the missing conditions.
        started: Start time of containers that are given up as soon as they end once, by podman's name, in seconds since
            the epoch.
        timeout_s: Seconds to wait.
        first_checks: First checks of containers that are under way, by podman's name.

    Returns:
        The answer about each need of a spawn.

    Raises:
        NotReadyError: A container is not ready in time, or has ended; carries its last log lines.
    """
    now = time.monotonic()
    next_look, deadline = now + ENDED_INTERVAL_S, now + timeout_s
    steady: tuple[str, float] = ("", now)
    with poll(_conditions(podman, instance, spec, url, first_checks or {})) as poller:
        while poller.pending:
            on_detail("; ".join(condition.description for condition in poller.pending.values()))
            poller.wait(max(0.0, min(next_look, deadline) - time.monotonic()))
            now, missing = time.monotonic(), _describe(poller)
            if missing != steady[0] or poller.pending.keys() != {jupyterhub.NAME} or not _has_answers(poller):
                steady = (missing, now)
            if missing and now >= next_look:
                next_look = now + ENDED_INTERVAL_S
                _check_none_ended(podman, instance, spec, started or {}, missing)
            if missing and (now >= deadline or now - steady[1] >= STEADY_S):
                at_fault = next((name for name in poller.pending if name != LOGIN_PAGE), jupyterhub.NAME)
                late = f"not ready within {timeout_s:.0f} s: {missing}" if now >= deadline else f"not ready: {missing}"
                raise _not_ready(podman, instance, spec, spec.podman_names[at_fault], late)
        return gather_answers(instance, poller.results)


def gather_answers(instance: Instance, results: Mapping[str, CheckResult]) -> tuple[Answer, ...]:
    """Return the answers about all needs of a spawn, from the checks of the containers and of the login page.

    Args:
        instance: The instance.
        results: The results by the container's name; LOGIN_PAGE for the request from this machine.
    """
    hub = results.get(jupyterhub.NAME)
    why = f"the hub's container does not answer: {hub.reason}" if hub and not hub.ready else "the hub was not checked"
    answers = read_answers(instance.environment, hub.lines if hub else (), why)
    return with_ingress(answers, results.get(LOGIN_PAGE) or results.get(zenith.NAME))


def _has_answers(poller: Poller) -> bool:
    """Whether the hub's check has named what is missing, as opposed to a machine that is too slow."""
    return bool(poller.results[jupyterhub.NAME].lines)


def _describe(poller: Poller) -> str:
    return "; ".join(f"{each.description} ({poller.results[name].reason})" for name, each in poller.pending.items())


def _conditions(
    podman: Podman,
    instance: Instance,
    spec: InstanceSpec,
    url: str,
    first_checks: Mapping[str, Check],
) -> dict[str, Condition]:
    """Return the conditions to wait for, by the container's name.

    A published login page is requested only from outside the pod.
    """
    page = entrance(instance.environment, Client.BROWSER).component.name
    found = {
        container.name: Condition(
            description=container.waits_for,
            check=_checker(podman, instance, spec, container, first_checks),
            interval_s=COMMAND_INTERVAL_S,
        )
        for container in spec.containers
        if container.ready_line or (container.ready and not (url and container.name == page))
    }
    if url:
        page = f"the login page at {url}"
        found[LOGIN_PAGE] = Condition(description=page, check=lambda: check_login_page(url), interval_s=PAGE_INTERVAL_S)
    for component in components(instance.environment):
        others = found.keys() & set(component.after)
        if component.name in found and others:
            # The check cannot succeed before the checks of those components, and each attempt takes processor time.
            after = frozenset({*others, LOGIN_PAGE} & found.keys())
            found[component.name] = replace(found[component.name], after=after)
    return found


def _checker(
    podman: Podman,
    instance: Instance,
    spec: InstanceSpec,
    container: Container,
    first_checks: Mapping[str, Check],
) -> Check:
    """Return the check of a container.

    Its first call takes the answer of a check that is under way.
    """
    name = spec.podman_names[container.name]

    def check() -> CheckResult:
        if container.ready:
            return check_container(podman, name, container.ready)
        return check_log(podman, instance.labels, name, container.ready_line)

    first = [first_checks[name]] if name in first_checks else []
    checks: Iterator[Check] = chain(first, repeat(check))

    def check_next() -> CheckResult:
        return next(checks)()

    return check_next


def _check_none_ended(
    podman: Podman, instance: Instance, spec: InstanceSpec, started: Mapping[str, int], missing: str
) -> None:
    states = podman.containers(instance.labels).values()
    ended = next((state.name for state in states if _is_given_up(state, started)), "")
    if ended:
        raise _not_ready(podman, instance, spec, ended, f"a container ended while waiting for {missing}")


def _is_given_up(state: ContainerState, started: Mapping[str, int]) -> bool:
    ended_once = state.name in started and (state.started != started[state.name] or state.state != "running")
    return (
        ended_once
        or state.restarts > MAX_RESTARTS
        or (state.state in {"exited", "stopped", "dead"} and state.exit_code != 0)
    )


def _not_ready(podman: Podman, instance: Instance, spec: InstanceSpec, container: str, message: str) -> NotReadyError:
    lines = last_lines(podman, spec, container)
    return NotReadyError(
        message,
        detail=(f"last lines of {short_name(instance, container)}:", *lines),
        remedy=_remedy(instance),
    )


def _remedy(instance: Instance) -> str:
    if instance.environment.stage.can_keep_failed_pod:
        return f"{REMEDY}, or add --keep and look with `{instance.command('logs')}`"
    return REMEDY
