"""What is kept of a failure: one folder with all that may tell why, and a README.txt that says where to look first.

Each part is gathered for itself: the failure of one is written into its file, and does not stop the others.
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
from hubpod_harness.timeline import SessionLike, drawing_of, lines_of, spawns_of

INDEX: Final = "README.txt"
MAX_BYTES: Final = 2 * 2**20
COMMAND_TIMEOUT_S: Final = 10.0
AT_ONCE: Final = 8
HUB: Final = "jupyterhub"
SLURM: Final = "slurm"
SACCT_FIELDS: Final = "JobID,JobName,User,Account,Partition,State,ExitCode,Reason,Submit,Start,End,NodeList"

# As each account, since not even root may read in homes here; of many servers of one person the last tell most.
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
    "sdiag.txt": ("what slurmctld was asked, and how often", ("sdiag",)),
    "sinfo.txt": ("nodes and their states", ("sinfo", "--Node", "--long")),
    "jobs.txt": ("all that Slurm knows of each job", ("scontrol", "show", "job")),
    "log-jobs.txt": ("what the notebook servers wrote, in each person's home", ("sh", "-c", JOB_LOGS)),
}
REQUESTS: Mapping[str, tuple[str, str]] = {
    "routes.json": ("the proxy's routes, as the hub knows them", "proxy"),
    "users.json": ("the hub's users and their servers", "users"),
}


class AdminApi(Protocol):
    """The hub, as far as it is needed here."""

    def admin(self, method: str, path: str, json: object = None) -> requests.Response:
        """Ask the hub's REST API."""


class StackLike(Protocol):
    """A stack, as far as it is needed here."""

    @property
    def containers(self) -> tuple[str, ...]:
        """Names of the containers."""

    @property
    def secrets(self) -> Collection[str]:
        """What must not be kept."""

    @property
    def hub(self) -> AdminApi:
        """The hub."""

    def execute(
        self, container: str, argv: Sequence[str], *, user: str | None = None, timeout_s: float | None = None
    ) -> Result:
        """Run a command in a container."""

    def log(self, container: str) -> str:
        """What a container has written."""

    def inspect(self, container: str) -> str:
        """What podman tells of a container, as JSON."""


class PageLike(Protocol):
    """A page of Playwright."""

    def content(self) -> str:
        """The page's source."""

    def screenshot(self, *, full_page: bool | None = None) -> bytes:
        """A picture, as PNG."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of the folder.

    Attributes:
        name: The file's name.
        title: What is in it.
        gather: Gives its content: text, or bytes that are a picture.
    """

    name: str
    title: str
    gather: Callable[[], str | bytes] = field(repr=False)


def write(
    folder: Path, stack: StackLike, *, sessions: Iterable[SessionLike], page: PageLike | None = None, error: str
) -> Path:
    """Write all that may tell why a test failed; what an earlier failure left in the folder is removed.

    Args:
        folder: The failure's own folder; made, for this user only, when it is not there.
        stack: What the test worked with.
        sessions: Who logged in; the progress events of their servers become the timeline.
        page: The browser's page, when there is one.
        error: What the test met.

    Returns:
        The path of README.txt.
    """
    private_directory(folder)
    if (folder / INDEX).is_file():
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
    redactor = Redactor(stack.secrets)
    spawns = list(spawns_of(sessions))
    parts = (*_parts_of_stack(stack), *_parts_of_spawns(spawns))
    with ThreadPoolExecutor(AT_ONCE) as pool:  # one that hangs until its deadline does not hold up the others
        contents = list(pool.map(_gathered, parts))
    pictured = tuple(_parts_of_page(page)) if page else ()
    contents += [_gathered(part) for part in pictured]  # Playwright answers only to the thread that it was started in
    named = {part.name: content for part, content in zip((*parts, *pictured), contents, strict=True)}
    index = "\n".join(_index((*parts, *pictured), named, stack.containers, spawns, error))
    for name, content in {**named, INDEX: index}.items():
        kept = _last(redactor.text(content).encode(errors="replace")) if isinstance(content, str) else content
        write_private(folder / name, kept)
    return folder / INDEX


def _gathered(part: Part) -> str | bytes:
    try:
        return part.gather()
    except Exception as error:  # noqa: BLE001 - whatever this part met, the others are wanted
        said = error.result.last_lines if isinstance(error, CommandError) else ()
        return "\n".join([f"could not be had: {type(error).__name__}: {error}", *said, ""])


def _last(content: bytes, limit: int = MAX_BYTES) -> bytes:
    """The end of what is too long, from the beginning of a line on, with a word about what is missing."""
    if len(content) <= limit:
        return content
    end = content[-limit:]
    end = end[end.find(b"\n") + 1 :]
    return b"(the first %d bytes are left out)\n" % (len(content) - len(end)) + end


def _parts_of_stack(stack: StackLike) -> Iterator[Part]:
    for name in stack.containers:
        yield Part(name=f"log-{name}.txt", title=f"log of {name}", gather=partial(stack.log, name))
    for name in stack.containers:
        yield Part(name=f"inspect-{name}.json", title=f"state of {name}", gather=partial(stack.inspect, name))
    for name, (title, argv) in COMMANDS.items():
        yield Part(name=name, title=title, gather=partial(_output, stack, argv))
    for name, (title, path) in REQUESTS.items():
        yield Part(name=name, title=title, gather=partial(_answer, stack.hub, path))


def _output(stack: StackLike, argv: Sequence[str]) -> str:
    result = stack.execute(SLURM, argv, timeout_s=COMMAND_TIMEOUT_S)
    if not result.ok:
        raise CommandError(result)
    return result.stdout


def _answer(hub: AdminApi, path: str) -> str:
    response = hub.admin("GET", path)
    try:
        return json.dumps(response.json(), indent=2) + "\n"
    except ValueError:
        return f"status {response.status_code}, and no JSON:\n{response.text}"


def _parts_of_page(page: PageLike) -> Iterator[Part]:
    yield Part(name="page.html", title="source of the browser's page", gather=page.content)
    yield Part(name="screenshot.png", title="the browser's page as it was seen", gather=partial(_picture, page))


def _picture(page: PageLike) -> bytes:
    picture = page.screenshot(full_page=True)
    return picture if len(picture) <= MAX_BYTES else page.screenshot(full_page=False)


def _parts_of_spawns(spawns: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    text = "\n".join(line for spawn in spawns for line in lines_of(spawn)) + "\n"
    yield Part(name="timeline.txt", title="how each spawn went", gather=lambda: text)
    yield Part(name="timeline.svg", title="the same, as a drawing", gather=lambda: drawing_of(spawns))
    yield Part(
        name="timeline.json",
        title="the same, as values",
        gather=lambda: json.dumps(spawns, indent=2, default=str) + "\n",
    )


def _index(
    parts: Sequence[Part],
    contents: Mapping[str, str | bytes],
    containers: Sequence[str],
    spawns: Sequence[Mapping[str, Any]],
    error: str,
) -> Iterator[str]:
    """README.txt: what broke first, and where to read on."""
    yield from ("What broke", "", *_dead(containers, contents))
    yield from (f"  {line}" for line in error.splitlines())
    lines = excerpt(None, str(contents.get(f"log-{HUB}.txt", "")).splitlines())
    if lines:
        yield from ("", "What the hub's log says", "", *(f"  {line}" for line in lines))
    if spawns:
        yield from ("", "Spawns", "", *(f"  {spawn['user']}/{spawn['server']}: {spawn['outcome']}" for spawn in spawns))
    yield from ("", "Files", "", *(f"  {part.name:24} {part.title}" for part in parts))
    yield from ("", f"Secrets are taken out of all texts; of more than {MAX_BYTES // 2**20} MB the end is kept.", "")


def _dead(containers: Sequence[str], contents: Mapping[str, str | bytes]) -> Iterator[str]:
    """Containers that do not run, those that ended first at the top: the others may only have followed."""
    states = {name: _state(contents.get(f"inspect-{name}.json", "")) for name in containers}
    dead = [(str(state.get("FinishedAt")), name, state) for name, state in states.items() if not _runs(state)]
    for since, name, state in sorted(dead, key=lambda each: each[:2]):
        yield f"  the container {name} is {state.get('Status')} with code {state.get('ExitCode')} since {since}"


def _runs(state: Mapping[str, Any]) -> bool:
    return not state or state.get("Status") == "running"


def _state(inspected: str | bytes) -> Mapping[str, Any]:
    """The state in what `podman inspect` has printed; empty when there is none."""
    try:
        state = json.loads(inspected)[0]["State"]
    except (ValueError, LookupError, TypeError):
        return {}
    return state if isinstance(state, dict) else {}
