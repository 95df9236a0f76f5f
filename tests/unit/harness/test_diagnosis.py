"""Artifacts of a failed test, from a fake stack whose every part can fail."""

import json
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from hubpod.client import ProgressEvent, Server, SlurmState
from hubpod.client.browser import Browser
from hubpod.errors import NotRunningError
from hubpod.system.process import Result
from hubpod_harness import diagnosis
from hubpod_harness.diagnosis import MAX_BYTES

SECRET = "correct-horse-battery"
HUB_LOG = "[E 2026-11-21 08:16:52.100 JupyterHub job:97] The job of user01 was not submitted: no such partition"
RUNNING = [{"State": {"Status": "running", "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"}}]


@dataclass
class FakeHub:
    """An HTTP API whose every response has the same body."""

    body: bytes = b'{"users": 1}'
    queries: list[str] = field(default_factory=list)

    def admin(self, method: str, path: str, json: object = None) -> requests.Response:
        """Return the response."""
        self.queries.append(f"{method} {path}{json or ''}")
        response = requests.Response()
        response.status_code, response._content = 200, self.body
        return response


@dataclass
class FakeStack:
    """A fake stack whose every part can fail."""

    containers: tuple[str, ...] = ("slurm", "jupyterhub")
    secrets: Collection[str] = (SECRET,)
    hub: FakeHub = field(default_factory=FakeHub)
    logs: dict[str, str] = field(default_factory=lambda: {"slurm": "slurmctld: up", "jupyterhub": HUB_LOG})
    states: dict[str, object] = field(default_factory=dict)

    def execute(
        self, container: str, argv: Sequence[str], *, user: str | None = None, timeout_s: float | None = None
    ) -> Result:
        """Fail for sacct, as without accounting, and print any other command."""
        assert (container, user) == ("slurm", None)
        assert timeout_s
        if argv[0] == "sacct":
            return Result(argv=tuple(argv), returncode=1, stderr="Slurm accounting storage is disabled")
        return Result(argv=tuple(argv), returncode=0, stdout=f"{' '.join(argv)} of {SECRET}\n")

    def log(self, container: str) -> str:
        """Return the log, or fail when the container has none."""
        if container not in self.logs:
            raise NotRunningError(f"{container} has no log")
        return self.logs[container]

    def inspect(self, container: str) -> str:
        """Return the state."""
        return json.dumps(self.states.get(container, RUNNING))


@dataclass
class FakeSession:
    """A login session with servers."""

    user: str
    servers: dict[str, Server]


@dataclass
class FakePage:
    """A page with a screenshot of a given size."""

    size: int = 8

    def content(self) -> str:
        """Return a source with a secret."""
        return f"<p>{SECRET}</p>"

    def screenshot(self, *, full_page: bool | None = None) -> bytes:
        """Return a screenshot, a larger one for the full page."""
        return b"\x89PNG\xff".ljust(self.size if full_page else 8, b"\0")


def session_with(*events: ProgressEvent) -> FakeSession:
    """Return a session whose server has these events."""
    server = Server(Browser("http://127.0.0.1"), "http://127.0.0.1", user="user01", name="lab")
    server.events = events
    return FakeSession(user="user01", servers={"lab": server})


PENDING = ProgressEvent(
    progress=10, message="Job 7 is queued", slurm=SlurmState(job_id="7", state="PENDING", reason="Resources"), at=100.0
)
FAILED = ProgressEvent(progress=100, message=f"Spawn failed: {SECRET}", failed=True, at=102.25)


def test_every_part_of_the_stack_has_a_file(tmp_path: Path) -> None:
    """Each log, state, response, spawn and page has a file, and README.txt lists them."""
    stack = FakeStack()

    index = diagnosis.write(tmp_path / "failure", stack, sessions=[session_with(PENDING)], page=FakePage(), error="it")

    files = {path.name for path in index.parent.iterdir()}
    assert index == tmp_path / "failure" / "README.txt"
    assert files >= {"log-slurm.txt", "log-jupyterhub.txt", "inspect-slurm.json", "inspect-jupyterhub.json"}
    assert files >= {"squeue.txt", "sacct.txt", "sdiag.txt", "sinfo.txt", "jobs.txt", "log-jobs.txt"}
    assert files >= {"routes.json", "users.json"}
    assert files >= {"timeline.txt", "timeline.svg", "timeline.json", "page.html", "screenshot.png"}
    assert all(name in index.read_text() for name in files - {"README.txt"})
    assert sorted(stack.hub.queries) == ["GET proxy", "GET users"]


def test_artifacts_are_private_and_have_no_secret(tmp_path: Path) -> None:
    """The directory has mode 0700, its files 0600, and no file contains a secret."""
    stack = FakeStack(hub=FakeHub(body=json.dumps({"x": SECRET}).encode()), states={"slurm": {"Env": [SECRET]}})
    stack.logs["slurm"] = f"token {SECRET}"

    index = diagnosis.write(
        tmp_path / "failure", stack, sessions=[session_with(FAILED)], page=FakePage(), error=f"401 for {SECRET}"
    )

    assert stat.S_IMODE(index.parent.stat().st_mode) == 0o700
    for path in index.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert SECRET.encode() not in path.read_bytes()


def test_a_failed_part_does_not_stop_the_others(tmp_path: Path) -> None:
    """A failed part's file contains the reason, and all other files are complete."""
    stack = FakeStack(hub=FakeHub(body=b"<h1>502</h1>"), logs={"slurm": "slurmctld: up"})

    directory = diagnosis.write(tmp_path / "failure", stack, sessions=[], error="it").parent

    assert "jupyterhub has no log" in (directory / "log-jupyterhub.txt").read_text()
    assert "Slurm accounting storage is disabled" in (directory / "sacct.txt").read_text()
    assert "<h1>502</h1>" in (directory / "routes.json").read_text()
    assert (directory / "log-slurm.txt").read_text() == "slurmctld: up"
    assert (directory / "squeue.txt").read_text().startswith("squeue --all")


def test_the_index_lists_stopped_containers_first(tmp_path: Path) -> None:
    """README.txt lists stopped containers by time, then the error, the hub's log and the spawns."""
    ended = {"Status": "exited", "ExitCode": 137}
    stack = FakeStack(
        containers=("jupyterhub", "proxy", "slurm"),
        states={
            "jupyterhub": [{"State": {**ended, "FinishedAt": "2026-11-21T08:20:00Z"}}],
            "slurm": [{"State": {**ended, "FinishedAt": "2026-11-21T08:19:00Z"}}],
        },
    )

    text = diagnosis.write(
        tmp_path / "failure", stack, sessions=[session_with(PENDING, FAILED)], error="SpawnFailed: x"
    ).read_text()

    slurm, hub = text.index("the container slurm is exited"), text.index("the container jupyterhub is exited")
    assert slurm < hub < text.index("SpawnFailed: x") < text.index(HUB_LOG)
    assert "the container proxy" not in text
    assert "user01/lab: failed after 2.2 s" in text


def test_the_timeline_counts_from_the_first_event(tmp_path: Path) -> None:
    """Each event has its offset, progress, job state and message."""
    session = session_with(PENDING, FAILED)

    directory = diagnosis.write(tmp_path / "failure", FakeStack(), sessions=[session], error="it").parent

    lines = (directory / "timeline.txt").read_text().splitlines()
    assert lines[1].split() == ["+0.00", "s", "10", "%", "7", "PENDING", "Resources", "Job", "7", "is", "queued"]
    assert lines[2].split() == ["+2.25", "s", "100", "%", "-", "Spawn", "failed:", "[redacted]"]
    (spawn,) = json.loads((directory / "timeline.json").read_text())
    assert [event["at"] for event in spawn["events"]] == [0.0, 2.25]
    assert spawn["events"][0]["slurm"]["reason"] == "Resources"
    assert "Job 7 is queued: from 0.000 s to 2.250 s" in (directory / "timeline.svg").read_text()


@pytest.mark.parametrize("over", [0, 1])
def test_the_end_of_a_long_log_is_kept(tmp_path: Path, over: int) -> None:
    """A file has at most 2 MB, starts with a whole line and states how much is omitted."""
    stack = FakeStack()
    stack.logs["slurm"] = "first line\n" + "x" * (MAX_BYTES + over - len("first line\n\nlast line")) + "\nlast line"

    kept = (diagnosis.write(tmp_path / "f", stack, sessions=[], error="it").parent / "log-slurm.txt").read_text()

    assert kept.endswith("\nlast line")
    assert len(kept) <= MAX_BYTES + 100
    assert kept.startswith("first line\n") if over == 0 else kept.startswith("(the first ")


def test_a_large_screenshot_shows_the_visible_part(tmp_path: Path) -> None:
    """A screenshot is never truncated. For a very long page, it shows the visible part."""
    page = FakePage(size=MAX_BYTES + 1)

    directory = diagnosis.write(tmp_path / "failure", FakeStack(), sessions=[], page=page, error="it").parent

    assert (directory / "screenshot.png").read_bytes() == b"\x89PNG\xff".ljust(8, b"\0")


def test_artifacts_of_an_earlier_failure_are_removed(tmp_path: Path) -> None:
    """Files of an earlier failure of the same test are removed."""
    diagnosis.write(tmp_path / "failure", FakeStack(), sessions=[], page=FakePage(), error="it")

    directory = diagnosis.write(tmp_path / "failure", FakeStack(), sessions=[], error="it").parent

    assert not (directory / "screenshot.png").exists()
