"""Waiting for a pod: what is checked when, and the error if the pod does not become ready."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import SimpleNamespace
from typing import cast

import pytest

from hubpod.components.assembly import instance_spec, podman_name, short_name
from hubpod.components.site import Site
from hubpod.deployment import readiness
from hubpod.deployment.container_checks import check_login_page, judge_log
from hubpod.deployment.readiness import wait_until_ready
from hubpod.environments import find_environment
from hubpod.errors import NotReadyError
from hubpod.podman.cli import Podman
from hubpod.system.polling import CheckResult
from hubpod.system.process import Result
from support.sites import site

TOO_LONG_S = 60


@dataclass(kw_only=True)
class Hub:
    """A login page: the status that it answers with, and the requests that it got."""

    status: int = 200
    requests: list[str] = field(default_factory=list)
    url: str = ""
    on_request: Callable[[], None] = lambda: None


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serve a login page on this machine."""
    page = Hub()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page.requests.append(self.path)
            page.on_request()
            self.send_response(page.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        page.url = f"http://127.0.0.1:{server.server_address[1]}/jupyter"
        yield page
        server.shutdown()


@dataclass(kw_only=True)
class Pod:
    """A stand-in for podman and its pod.

    It has the containers' answers to readiness commands, and records the calls.
    """

    site: Site
    answers: dict[str, Callable[[], str]]
    calls: list[str] = field(default_factory=list)
    ended: str = ""

    def execute(self, container: str, argv: tuple[str, ...], **_: object) -> Result:
        """Answer a readiness command, or print the missing condition and fail."""
        name = short_name(self.site.instance, container)
        self.calls.append(name)
        lacks = self.answers[name]()
        return Result(argv=argv, returncode=bool(lacks), stdout=lacks)

    def containers(self, _: object) -> dict[str, object]:
        """Return the container that has ended."""
        name = podman_name(self.site.instance, self.ended)
        state = SimpleNamespace(name=name, state="exited", started=1, restarts=0, exit_code=1)
        return {name: state} if self.ended else {}

    def log(self, container: str) -> str:
        """Return the end of its log."""
        return f"the last line of {container}"

    def wait(self, url: str, *, timeout_s: float = TOO_LONG_S) -> None:
        """Wait until the pod is ready."""
        spec = instance_spec(self.site)
        wait_until_ready(cast("Podman", self), self.site.instance, spec, url, lambda _: None, timeout_s=timeout_s)


def never() -> str:
    """Lack something forever."""
    return "something"


def ready() -> str:
    """Lack nothing."""
    return ""


@pytest.fixture
def dummy(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return the site of a pod with Slurm, whose checks follow each other without a pause."""
    for name in ("PAGE_INTERVAL_S", "COMMAND_INTERVAL_S", "ENDED_INTERVAL_S"):
        monkeypatch.setattr(readiness, name, 0.01)
    return site(find_environment("dev_dummyauth"))


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (302, True), (401, True), (404, False), (500, False), (503, False)]
)
def test_the_status_of_the_login_page_decides_readiness(hub: Hub, status: int, *, ready: bool) -> None:
    """A 401 without a token comes from a working hub, and a 5xx from a proxy without a hub."""
    hub.status = status

    answer = check_login_page(hub.url + "/")

    assert answer.ready is ready
    assert answer.reason == ("" if ready else f"status {status}")
    assert hub.requests == ["/jupyter/hub/login"]


def test_the_login_page_is_requested_without_a_proxy(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy variables of the environment do not apply to this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert check_login_page(hub.url).ready


def test_a_refused_connection_is_the_reason() -> None:
    """The reason quotes the system's message."""
    answer = check_login_page("http://127.0.0.1:9/jupyter")

    assert not answer.ready
    assert answer.reason == "Connection refused"


def test_a_slow_check_delays_no_other_check(dummy: Site, hub: Hub) -> None:
    """The page is requested again while Slurm's check still runs."""
    was_polled_again = Event()
    hub.status = 503

    def on_request() -> None:
        if len(hub.requests) > 2:
            was_polled_again.set()
            hub.status = 200

    hub.on_request = on_request
    pod = Pod(
        site=dummy, answers={"slurm": lambda: "" if was_polled_again.wait(TOO_LONG_S) else "time", "jupyterhub": ready}
    )

    pod.wait(hub.url)

    assert was_polled_again.is_set()
    assert pod.calls.count("slurm") == 1


def test_the_hub_is_not_checked_before_slurm_is_ready(dummy: Site, hub: Hub) -> None:
    """The hub's check runs once Slurm is ready, because it queries Slurm.

    Each check is a command in a container, and delays the containers that start.
    """
    states = iter(["sshd does not listen yet", "slurmctld does not listen yet", ""])
    hub.status = 503

    def slurm() -> str:
        lacks = next(states)
        hub.status = 503 if lacks else 200
        return lacks

    pod = Pod(site=dummy, answers={"slurm": slurm, "jupyterhub": ready})

    pod.wait(hub.url)

    assert pod.calls == ["slurm", "slurm", "slurm", "jupyterhub"]


def test_a_pod_without_a_published_page_is_checked_inside(hub: Hub) -> None:
    """Behind a tunnel, the proxy's own command checks the login page."""
    tunnel = site(find_environment("dev_realauth_zenithclient"))
    containers = [replace(each, ready_line="") for each in instance_spec(tunnel).containers]
    pod = Pod(site=tunnel, answers={each.name: ready for each in containers if each.ready})
    spec = instance_spec(tunnel).only([each.name for each in containers if each.ready])

    wait_until_ready(cast("Podman", pod), tunnel.instance, spec, "", lambda _: None)

    assert sorted(pod.calls) == ["jupyterhub", "proxy", "slurm"]
    assert not hub.requests


def test_a_timeout_names_the_missing_condition_and_the_reason(dummy: Site, hub: Hub) -> None:
    """The error carries the last log lines of the first container at fault."""
    hub.status = 503
    pod = Pod(site=dummy, answers={"slurm": never, "jupyterhub": ready})

    with pytest.raises(NotReadyError) as caught:
        pod.wait(hub.url, timeout_s=0.2)

    assert "an idle Slurm node, and the SSH server (" in caught.value.message
    assert f"the login page at {hub.url} (" in caught.value.message
    assert caught.value.detail[-1] == f"the last line of {podman_name(dummy.instance, 'slurm')}"


def test_a_container_that_ended_ends_the_wait(dummy: Site, hub: Hub) -> None:
    """The error comes at once and carries the container's last log lines."""
    hub.status = 503
    pod = Pod(site=dummy, answers={"slurm": never, "jupyterhub": ready}, ended="jupyterhub")

    with pytest.raises(NotReadyError, match="a container ended while waiting for") as caught:
        pod.wait(hub.url)

    assert caught.value.detail[0] == "last lines of jupyterhub:"


def test_an_error_of_a_check_ends_the_wait(dummy: Site, hub: Hub) -> None:
    """An error of podman is raised instead of waited out."""

    def broken() -> str:
        raise NotReadyError("podman is gone")

    with pytest.raises(NotReadyError, match="podman is gone"):
        Pod(site=dummy, answers={"slurm": broken, "jupyterhub": ready}).wait(hub.url)


def test_a_first_check_that_is_under_way_is_used(dummy: Site, hub: Hub) -> None:
    """`up` starts it while it plans, so the wait runs no second command."""
    pod = Pod(site=dummy, answers={"slurm": ready, "jupyterhub": ready})
    first = {podman_name(dummy.instance, name): lambda: CheckResult(ready=True) for name in ("slurm", "jupyterhub")}

    wait_until_ready(
        cast("Podman", pod), dummy.instance, instance_spec(dummy), hub.url, lambda _: None, first_checks=first
    )

    assert not pod.calls


def test_a_first_check_that_fails_is_repeated(dummy: Site, hub: Hub) -> None:
    """A container that was not ready while `up` planned may be ready now."""
    pod = Pod(site=dummy, answers={"slurm": ready, "jupyterhub": ready})
    first = {podman_name(dummy.instance, "slurm"): lambda: CheckResult(ready=False, reason="not yet")}

    wait_until_ready(
        cast("Podman", pod), dummy.instance, instance_spec(dummy), hub.url, lambda _: None, first_checks=first
    )

    assert pod.calls.count("slurm") == 1


READY_LINE = "Tunnel configured successfully"
AT = 1_800_000_000.0


def log_of(*lines: tuple[float, str]) -> list[str]:
    """Return the lines of a log with podman's timestamps, at seconds after AT."""
    return [f"{datetime.fromtimestamp(AT + at, tz=UTC).isoformat()} {text}" for at, text in lines]


@pytest.mark.parametrize(
    ("lines", "now", "ready"),
    [
        ([], 60, False),
        ([(0, "Allocated port 1 for remote forward")], 60, False),
        ([(30, READY_LINE)], 31, False),
        ([(30, READY_LINE)], 35.9, False),
        ([(30, READY_LINE)], 36.1, True),
        ([(0, READY_LINE), (30, READY_LINE)], 31, False),
        ([(0, "Negotiating tunnel"), (1, READY_LINE)], 8, False),
        ([(0, "Negotiating tunnel"), (1, READY_LINE)], 22, True),
        ([(0, READY_LINE), (0.5, "Posted heartbeat with status 'passing'")], 1, True),
        ([(0, "Posted heartbeat with status 'passing'"), (5, READY_LINE)], 6, False),
    ],
)
def test_a_tunnel_must_last_after_its_line(lines: list[tuple[float, str]], now: float, *, ready: bool) -> None:
    """The time since the line counts, not since the container's start; a heartbeat proves the tunnel at once."""
    assert judge_log(log_of(*lines), READY_LINE, AT + now).ready is ready
