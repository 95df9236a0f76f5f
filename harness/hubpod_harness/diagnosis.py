"""Diagnosis of a failed test: a directory of artifacts with a README.txt as guide.

Each artifact is gathered independently. If one fails, its file contains the error, and the others are still written.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import requests

from hubpod.system.private_files import private_directory, write_private
from hubpod.system.process import CommandError, Result
from hubpod_harness.log_excerpts import excerpt
from hubpod_harness.redaction import Redactor
from hubpod_harness.timeline import SessionLike, format_spawn, render_chart, spawn_records

INDEX: Final = "README.txt"
MAX_BYTES: Final = 2 * 2**20
COMMAND_TIMEOUT_S: Final = 10.0
MAX_WORKERS: Final = 8
HUB: Final = "jupyterhub"
SLURM: Final = "slurm"
SACCT_FIELDS: Final = "JobID,JobName,User,Account,Partition,State,ExitCode,Reason,Submit,Start,End,NodeList"

# Runs as each account, because not even root may read the homes. The newest logs are the most relevant.
JOB_LOGS: Final = r"""
for home in /home/*/*.*; do
  runuser -u "${home##*/}" -- sh -c '
    cd "$1" && ls -t | grep ^jupyterhub_slurmspawner_ | head -n 3 | xargs -r tail -v -n 200
  ' sh "$home"
done
"""

COMMANDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "squeue.txt": ("jobs in the queue", ("squeue", "--all", "--long")),
    "sacct.txt": ("jobs that ended, where accounting is on", ("sacct", "--allusers", f"--format={SACCT_FIELDS}")),
    "sdiag.txt": ("requests that slurmctld received, by type", ("sdiag",)),
    "sinfo.txt": ("nodes and their states", ("sinfo", "--Node", "--long")),
    "jobs.txt": ("details of each job", ("scontrol", "show", "job")),
    "log-jobs.txt": ("logs of the notebook servers, from each user's home", ("sh", "-c", JOB_LOGS)),
}
REQUESTS: Mapping[str, tuple[str, str]] = {
    "routes.json": ("the proxy's routes, as the hub knows them", "proxy"),
    "users.json": ("the hub's users and their servers", "users"),
}


class AdminApi(Protocol):
    """The part of the hub that the diagnosis uses."""

    def admin(self, method: str, path: str, json: object = None) -> requests.Response:
        """Send a request to the hub's REST API."""


class StackLike(Protocol):
    """The part of a stack that the diagnosis uses."""

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers."""

    @property
    def secrets(self) -> Collection[str]:
        """Secrets that artifacts must not contain."""

    @property
    def hub(self) -> AdminApi:
        """The hub."""

    def execute(
        self, container: str, argv: Sequence[str], *, user: str | None = None, timeout_s: float | None = None
    ) -> Result:
        """Run a command in a container."""

    def log(self, container: str) -> str:
        """Return a container's log."""

    def inspect(self, container: str) -> str:
        """Return the output of `podman inspect`, as JSON."""


class PageLike(Protocol):
    """A page of Playwright."""

    def content(self) -> str:
        """Return the page's source."""

    def screenshot(self, *, full_page: bool | None = None) -> bytes:
        """Return a screenshot as PNG."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file of the directory.

    Attributes:
        name: The file's name.
        title: Its content, for README.txt.
        gather: Returns the content: text, or the bytes of a picture.
    """

    name: str
    title: str
    gather: Callable[[], str | bytes] = field(repr=False)


def write(
    directory: Path, stack: StackLike, *, sessions: Iterable[SessionLike], page: PageLike | None = None, error: str
) -> Path:
    """Write the diagnosis of a failed test, and remove that of an earlier failure.

    Args:
        directory: The failure's directory; created with access for this user only.
        stack: The stack that the test used.
        sessions: The test's logins; the progress events of their servers become the timeline.
        page: The browser's page, if the test used one.
        error: The failure.

    Returns:
        The path of README.txt.
    """
    private_directory(directory)
    if (directory / INDEX).is_file():
        for path in directory.iterdir():
            if path.is_file():
                path.unlink()
    redactor = Redactor(stack.secrets)
    spawns = list(spawn_records(sessions))
    parts = (*_parts_of_stack(stack), *_parts_of_spawns(spawns))
    with ThreadPoolExecutor(MAX_WORKERS) as pool:  # an artifact that hangs until its deadline does not delay the others
        contents = list(pool.map(_gather, parts))
    page_parts = tuple(_parts_of_page(page)) if page else ()
    contents += [_gather(part) for part in page_parts]  # Playwright works only in the thread that started it
    contents_by_name = {part.name: content for part, content in zip((*parts, *page_parts), contents, strict=True)}
    index = "\n".join(_index((*parts, *page_parts), contents_by_name, stack.containers, spawns, error))
    for name, content in {**contents_by_name, INDEX: index}.items():
        kept = _last(redactor.text(content).encode(errors="replace")) if isinstance(content, str) else content
        write_private(directory / name, kept)
    return directory / INDEX


def _gather(part: Artifact) -> str | bytes:
    try:
        return part.gather()
    except Exception as error:  # noqa: BLE001 - the other artifacts are still useful
        said = error.result.last_lines if isinstance(error, CommandError) else ()
        return "\n".join([f"not available: {type(error).__name__}: {error}", *said, ""])


def _last(content: bytes, limit: int = MAX_BYTES) -> bytes:
    """Truncate long content to its last lines, and note the number of omitted bytes."""
    if len(content) <= limit:
        return content
    end = content[-limit:]
    end = end[end.find(b"\n") + 1 :]
    return b"(the first %d bytes are omitted)\n" % (len(content) - len(end)) + end


def _parts_of_stack(stack: StackLike) -> Iterator[Artifact]:
    for name in stack.containers:
        yield Artifact(name=f"log-{name}.txt", title=f"log of {name}", gather=partial(stack.log, name))
    for name in stack.containers:
        yield Artifact(name=f"inspect-{name}.json", title=f"state of {name}", gather=partial(stack.inspect, name))
    for name, (title, argv) in COMMANDS.items():
        yield Artifact(name=name, title=title, gather=partial(_output, stack, argv))
    for name, (title, path) in REQUESTS.items():
        yield Artifact(name=name, title=title, gather=partial(_response_text, stack.hub, path))


def _output(stack: StackLike, argv: Sequence[str]) -> str:
    result = stack.execute(SLURM, argv, timeout_s=COMMAND_TIMEOUT_S)
    if not result.ok:
        raise CommandError(result)
    return result.stdout


def _response_text(hub: AdminApi, path: str) -> str:
    response = hub.admin("GET", path)
    try:
        return json.dumps(response.json(), indent=2) + "\n"
    except ValueError:
        return f"status {response.status_code}, and no JSON:\n{response.text}"


def _parts_of_page(page: PageLike) -> Iterator[Artifact]:
    yield Artifact(name="page.html", title="source of the browser's page", gather=page.content)
    yield Artifact(name="screenshot.png", title="screenshot of the browser's page", gather=partial(_picture, page))


def _picture(page: PageLike) -> bytes:
    picture = page.screenshot(full_page=True)
    return picture if len(picture) <= MAX_BYTES else page.screenshot(full_page=False)


def _parts_of_spawns(spawns: Sequence[Mapping[str, Any]]) -> Iterator[Artifact]:
    text = "\n".join(line for spawn in spawns for line in format_spawn(spawn)) + "\n"
    yield Artifact(name="timeline.txt", title="progress of each spawn", gather=lambda: text)
    yield Artifact(name="timeline.svg", title="the timeline as a chart", gather=lambda: render_chart(spawns))
    yield Artifact(
        name="timeline.json",
        title="the timeline as data",
        gather=lambda: json.dumps(spawns, indent=2, default=str) + "\n",
    )


def _index(
    parts: Sequence[Artifact],
    contents: Mapping[str, str | bytes],
    containers: Sequence[str],
    spawns: Sequence[Mapping[str, Any]],
    error: str,
) -> Iterator[str]:
    """Yield the lines of README.txt: the cause first, then the list of files."""
    yield from ("What broke", "", *_stopped_containers(containers, contents))
    yield from (f"  {line}" for line in error.splitlines())
    lines = excerpt(None, str(contents.get(f"log-{HUB}.txt", "")).splitlines())
    if lines:
        yield from ("", "Excerpt of the hub's log", "", *(f"  {line}" for line in lines))
    if spawns:
        yield from ("", "Spawns", "", *(f"  {spawn['user']}/{spawn['server']}: {spawn['outcome']}" for spawn in spawns))
    yield from ("", "Files", "", *(f"  {part.name:24} {part.title}" for part in parts))
    yield from ("", f"Secrets are redacted. Files above {MAX_BYTES // 2**20} MB contain only their end.", "")


def _stopped_containers(containers: Sequence[str], contents: Mapping[str, str | bytes]) -> Iterator[str]:
    """Yield a line per stopped container, the first one to stop (the likely cause) first."""
    states = {name: _state(contents.get(f"inspect-{name}.json", "")) for name in containers}
    stopped = [(str(state.get("FinishedAt")), name, state) for name, state in states.items() if not _runs(state)]
    for since, name, state in sorted(stopped, key=lambda each: each[:2]):
        yield f"  the container {name} is {state.get('Status')} with code {state.get('ExitCode')} since {since}"


def _runs(state: Mapping[str, Any]) -> bool:
    return not state or state.get("Status") == "running"


def _state(inspected: str | bytes) -> Mapping[str, Any]:
    """Return the state in the output of `podman inspect`, or an empty one."""
    try:
        state = json.loads(inspected)[0]["State"]
    except (ValueError, LookupError, TypeError):
        return {}
    return state if isinstance(state, dict) else {}
