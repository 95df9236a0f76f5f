"""Waiting for a pod: what is asked when, and what is told of one that does not become ready."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import SimpleNamespace
from typing import cast

import pytest

from hubpod.components.assembly import pod_spec
from hubpod.components.site import Site
from hubpod.deployment import readiness
from hubpod.deployment.readiness import check_login_page, wait_until_ready
from hubpod.environments import find_environment
from hubpod.errors import NotReadyError
from hubpod.podman.cli import Podman
from hubpod.system.process import Result
from support.sites import site

TOO_LONG_S = 60


@dataclass(kw_only=True)
class Hub:
    """A login page, and how it answers."""

    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""
    on_asked: Callable[[], None] = lambda: None


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A server on this machine with a login page."""
    told = Hub()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            told.on_asked()
            self.send_response(told.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        told.url = f"http://127.0.0.1:{server.server_address[1]}/jupyter"
        yield told
        server.shutdown()


@dataclass(kw_only=True)
class Pod:
    """A pod whose containers answer as told, and what they were asked."""

    site: Site
    answers: dict[str, Callable[[], str]]
    asked: list[str] = field(default_factory=list)
    ended: str = ""

    def execute(self, container: str, argv: tuple[str, ...], **_: object) -> Result:
        """Whether a container is ready; what it lacks is what it says."""
        name = container.removeprefix(f"{self.site.instance.resource}-")
        self.asked.append(name)
        lacks = self.answers[name]()
        return Result(argv=argv, returncode=bool(lacks), stdout=lacks)

    def containers(self, _: object) -> dict[str, object]:
        """The one that has ended."""
        name = f"{self.site.instance.resource}-{self.ended}"
        state = SimpleNamespace(name=name, state="exited", started=1, restarts=0, exit_code=1)
        return {name: state} if self.ended else {}

    def log(self, container: str) -> str:
        """Its last words."""
        return f"the last words of {container}"

    def wait(self, url: str, *, timeout_s: float = TOO_LONG_S) -> None:
        """Wait until it is ready."""
        spec = pod_spec(self.site)
        wait_until_ready(cast("Podman", self), self.site.instance, spec, url, lambda _: None, timeout_s=timeout_s)


def never() -> str:
    """Lacks something for ever."""
    return "something"


def ready() -> str:
    """Lacks nothing."""
    return ""


@pytest.fixture
def dummy(monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site of a pod with a Slurm of its own; nobody pauses between two questions."""
    for name in ("PAGE_INTERVAL_S", "COMMAND_INTERVAL_S", "ENDED_INTERVAL_S"):
        monkeypatch.setattr(readiness, name, 0.01)
    return site(find_environment("dev_dummyauth"))


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (302, True), (401, True), (404, False), (500, False), (503, False)]
)
def test_an_answer_of_a_hub_that_works_is_ready(hub: Hub, status: int, *, ready: bool) -> None:
    """A refusal for want of a token is one; that of a proxy without a hub is none."""
    hub.status = status

    answer = check_login_page(hub.url + "/")

    assert answer.ready is ready
    assert answer.reason == ("" if ready else f"status {status}")
    assert hub.asked == ["/jupyter/hub/login"]


def test_a_hub_on_this_machine_is_asked_directly(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names is no way to this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert check_login_page(hub.url).ready


def test_a_port_at_which_nobody_listens_is_told() -> None:
    """The reason is the system's own words."""
    answer = check_login_page("http://127.0.0.1:9/jupyter")

    assert not answer.ready
    assert answer.reason == "Connection refused"


def test_a_slow_answer_delays_no_other_question(dummy: Site, hub: Hub) -> None:
    """The page is asked for again while Slurm takes its time to answer."""
    asked_again = Event()
    hub.status = 503

    def on_asked() -> None:
        if len(hub.asked) > 2:
            asked_again.set()
            hub.status = 200

    hub.on_asked = on_asked
    pod = Pod(
        site=dummy, answers={"slurm": lambda: "" if asked_again.wait(TOO_LONG_S) else "time", "jupyterhub": ready}
    )

    pod.wait(hub.url)

    assert asked_again.is_set()
    assert pod.asked.count("slurm") == 1


def test_the_hubs_way_to_slurm_is_not_tried_while_it_is_known_to_be_closed(dummy: Site, hub: Hub) -> None:
    """It costs a command in a container each time, and those who start need the processor."""
    states = iter(["sshd does not listen yet", "slurmctld does not listen yet", ""])
    hub.status = 503

    def slurm() -> str:
        lacks = next(states)
        hub.status = 503 if lacks else 200
        return lacks

    pod = Pod(site=dummy, answers={"slurm": slurm, "jupyterhub": ready})

    pod.wait(hub.url)

    assert pod.asked == ["slurm", "slurm", "slurm", "jupyterhub"]


def test_a_pod_without_a_published_page_is_asked_inside(hub: Hub) -> None:
    """Where a tunnel is the way in, the proxy tells whether it shows the login page."""
    tunnel = site(find_environment("dev_realauth_zenithclient"))
    containers = [replace(each, ready_line="") for each in pod_spec(tunnel).containers]
    pod = Pod(site=tunnel, answers={each.name: ready for each in containers if each.ready})
    spec = replace(pod_spec(tunnel), containers=tuple(each for each in containers if each.ready))

    wait_until_ready(cast("Podman", pod), tunnel.instance, spec, "", lambda _: None)

    assert sorted(pod.asked) == ["jupyterhub", "proxy", "slurm"]
    assert not hub.asked


def test_what_is_missing_in_the_end_is_told_with_its_reason(dummy: Site, hub: Hub) -> None:
    """The first container that is to blame shows its last lines."""
    hub.status = 503
    pod = Pod(site=dummy, answers={"slurm": never, "jupyterhub": ready})

    with pytest.raises(NotReadyError) as caught:
        pod.wait(hub.url, timeout_s=0.2)

    assert "an idle Slurm node, and the SSH server (" in caught.value.message
    assert f"the login page at {hub.url} (" in caught.value.message
    assert caught.value.detail[-1] == f"the last words of {dummy.instance.resource}-slurm"


def test_a_container_that_ended_ends_the_waiting(dummy: Site, hub: Hub) -> None:
    """Nobody waits for one that will not come."""
    hub.status = 503
    pod = Pod(site=dummy, answers={"slurm": never, "jupyterhub": ready}, ended="jupyterhub")

    with pytest.raises(NotReadyError, match="a container ended while waiting for") as caught:
        pod.wait(hub.url)

    assert caught.value.detail[0] == "last lines of jupyterhub:"


def test_an_error_of_a_question_is_told(dummy: Site, hub: Hub) -> None:
    """What podman fails with is no reason to wait."""

    def broken() -> str:
        raise NotReadyError("podman is gone")

    with pytest.raises(NotReadyError, match="podman is gone"):
        Pod(site=dummy, answers={"slurm": broken, "jupyterhub": ready}).wait(hub.url)
