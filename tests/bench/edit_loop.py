"""How long an edit takes until a page or a wrapper has it, and what is seen meanwhile.

`./run nox -s bench` measures until the command has ended; this one, by hand, also until the edit is live:

python tests/bench/edit_loop.py [--runs 5] [--by dev.reload | dev.up | dev.watch] [--write docs/edit-loop.md]

Edits a copy of the checkout, whose pod runs. Each figure is counted from the
save: until the page or the wrapper has it, and until the command has ended. With --write the texts of a loop, as
they were printed, take the place of those in a document.
"""

import argparse
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]

from support.instances import Running, argv  # noqa: E402 - found by the line above

from hubpod import content  # noqa: E402
from hubpod.client.browser import direct_session  # noqa: E402
from hubpod.client.deadline import Deadline  # noqa: E402
from hubpod.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402

LIVE_S = 600.0
LOOK_AGAIN_S = 0.02
AUTHENTICATOR = "containers/jupyterhub/_dev_build_data/bricsauthenticator/src/bricsauthenticator/__init__.py"
WRAPPER = "containers/slurm/_dev_build_data/slurmspawner_wrappers/src/slurmspawner_wrappers/__init__.py"
FRAGMENT = "volumes/jupyterhub/axes/login_dummy.py"
PAGE = "from jupyterhub.auth import Authenticator\nAuthenticator.get_custom_html = lambda *_: {words!r}\n"
EDITS = {
    AUTHENTICATOR: PAGE,
    FRAGMENT: "c.JupyterHub.template_vars = {{'announcement': {words!r}}}\n",
    WRAPPER: "if len(sys.argv) > 1: sys.exit({words!r})\n",
}
BEGIN, END = "<!-- loop -->\n", "<!-- /loop -->\n"
PROBE = "/opt/jupyter/slurmspawner_wrappers/bin/slurmspawner_squeue"


def main(project: Path, runs: int, by: str, document: Path | None) -> None:
    """Measure every kind of edit; print the table."""
    with edited(project) as running:
        before = {path: (running.project / path).read_text() for path in EDITS}
        figures: dict[str, list[float]] = {}
        with watched(running) if by == "dev.watch" else typed(running, by) as make_live:
            for _ in range(runs):
                for path, lines in EDITS.items():
                    live, ended = measured(running, path, before[path], lines, make_live)
                    figures.setdefault(f"{Path(path).parts[-2]}: live", []).append(live)
                    if ended:
                        figures.setdefault(f"{Path(path).parts[-2]}: command ended", []).append(ended)
        print(f"{runs} edits of each kind by {by}; seconds: minimum, median, maximum")  # noqa: T201
        for name, values in figures.items():
            print(f"{name:40}{min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}")  # noqa: T201
        if document:
            for path, text in before.items():
                (running.project / path).write_text(text)
            running.type("dev.reload")
            put_into(document, transcript(running, before))


@contextmanager
def edited(project: Path) -> Iterator[Running]:
    """A copy of a checkout, and its pod."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "hubpod"
        content.copy(project, copy)
        podman = usable_podman(Workspace(project=PROJECT).state)
        running = Running(name=f"bench-{secrets.token_hex(3)}", podman=podman, project=copy)
        try:
            up = running.type("dev.up")
            if up.code:
                raise SystemExit(up.text)
            yield running
        finally:
            running.down("--volumes")


def measured(
    running: Running, path: str, text: str, lines: str, make_live: Callable[[], Callable[[], float]]
) -> tuple[float, float]:
    """Save one edit; how long until it was live, and until the command had ended; 0 where none has to."""
    words, url = secrets.token_hex(8), f"{running.status['url']}/hub/login"
    begun = time.monotonic()
    (running.project / path).write_text(text + lines.format(words=words))
    ended = make_live()
    deadline = Deadline(LIVE_S, f"the edit of {path}")
    with direct_session() as browser:
        while words not in (shown(running) if path == WRAPPER else browser.get(url, timeout=LIVE_S).text):
            deadline.pause(LOOK_AGAIN_S)
    return time.monotonic() - begun, ended() - begun


def shown(running: Running) -> str:
    """What a wrapper says when it is called with an argument."""
    return running.podman.execute(f"{running.resource}-slurm", [PROBE, "argument"]).stderr


@contextmanager
def typed(running: Running, command: str) -> Iterator[Callable[[], Callable[[], float]]]:
    """Edits are made live by typing a command after each."""

    def begin() -> Callable[[], float]:
        words = (command, f"--instance={running.name}")
        started = subprocess.Popen(argv(*words), cwd=running.project, stderr=subprocess.PIPE, stdout=subprocess.PIPE)

        def ended() -> float:
            _, told = started.communicate()
            if started.returncode:
                raise SystemExit(told.decode())
            return time.monotonic()

        return ended

    yield begin


@contextmanager
def watched(running: Running) -> Iterator[Callable[[], Callable[[], float]]]:
    """Edits are made live by a dev.watch that runs all the time; each ends with its line."""
    words = argv("dev.watch", f"--instance={running.name}")
    with subprocess.Popen(words, cwd=running.project, stdout=subprocess.PIPE, text=True) as watching:
        lines = iter(watching.stdout.readline, "") if watching.stdout else iter(())
        next(line for line in lines if "watching" in line)

        def ended() -> float:
            line = next(lines)
            if "healthy" not in line:
                raise SystemExit(line)
            return time.monotonic()

        yield lambda: ended
        watching.terminate()


def transcript(running: Running, before: dict[str, str]) -> str:
    """A loop as a person sees it: each edit, the command, and what it prints."""
    steps = (
        ("A page of the authenticator", AUTHENTICATOR, PAGE.format(words="mine")),
        ("A line of a wrapper", WRAPPER, "# mine\n"),
        ("A typing error", AUTHENTICATOR, "x = (\n"),
        ("A bug that ends the hub", AUTHENTICATOR, "raise RuntimeError('a bug of mine')\n"),
        ("The edit taken back by hand", AUTHENTICATOR, PAGE.format(words="mine")),
        ("A line of the hub's configuration", FRAGMENT, EDITS[FRAGMENT].format(words="mine")),
    )
    told = []
    for title, path, lines in steps:
        (running.project / path).write_text(before[path] + lines)
        shown_text = running.type("dev.reload").text.replace(str(running.project), "~/hubpod")
        told.append(f"{title}:\n\n```console\n$ cat >> {path}\n{lines}$ ./run invoke dev.reload\n{shown_text}```\n")
    return "\n".join(told)


def put_into(document: Path, text: str) -> None:
    """Replace what is between the marks of a document."""
    old = document.read_text()
    document.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--by", default="dev.reload", choices=["dev.reload", "dev.up", "dev.watch"])
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    main(given.project, given.runs, given.by, given.write)
