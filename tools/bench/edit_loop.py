"""The texts of docs/edit-loop.md: a loop of edits as it was printed, with a notebook that is open all the time.

python tools/bench/edit_loop.py [--write docs/edit-loop.md]

Edits a copy of the checkout, whose pod runs. With --write the texts take the place of those in a document; it is left
as it is when a command did not end as it should, or the notebook was lost.
"""

import argparse
import re
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools"), str(PROJECT / "tests")]

from bench.edits import KINDS, holds, notebook, watching  # noqa: E402 - found by the line above
from hubpod.client import HubClient  # noqa: E402
from hubpod.client.kernel import Kernel  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.sources import content  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.instances import Running  # noqa: E402

AUTHENTICATOR, WRAPPER, FRAGMENT = (KINDS[name].path for name in ("authenticator", "wrappers", "hub-configuration"))
BEGIN, END = "<!-- loop -->\n", "<!-- /loop -->\n"
SURVIVED = (
    "A notebook that was open all the time still holds what was computed in it before the first of these edits.\n"
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit of the loop.

    Attributes:
        title: What it shows.
        path: Which file.
        lines: What is added at its end.
        code: How the command ends.
    """

    title: str
    path: str
    lines: str
    code: int = 0


def banner(words: str) -> str:
    """An edit of the authenticator that leaves the form of the login as it is."""
    return KINDS["authenticator"].lines.format(word=words)


STEPS = (
    Step(title="A banner, from the authenticator", path=AUTHENTICATOR, lines=banner("mine")),
    Step(title="A line of a wrapper", path=WRAPPER, lines="# mine\n"),
    Step(title="A typing error", path=AUTHENTICATOR, lines="x = (\n", code=5),
    Step(title="A bug that ends the hub", path=AUTHENTICATOR, lines="raise RuntimeError('a bug of mine')\n", code=7),
    Step(title="The edit taken back by hand", path=AUTHENTICATOR, lines=banner("mine")),
    Step(
        title="A line of the hub's configuration",
        path=FRAGMENT,
        lines=KINDS["hub-configuration"].lines.format(word="mine"),
    ),
)
SAVES = ((AUTHENTICATOR, banner("at once"), "spawn:"), (WRAPPER, "# at once\n", "spawn:"), (WRAPPER, "x = (\n", "→"))
"""What is saved while dev.watch runs, and what its last line about that has."""


def main(project: Path, document: Path | None) -> None:
    """Record a loop; print it, or put it into a document."""
    with edited(project) as running, notebook(HubClient(running.status["url"]), running.password) as kernel:
        text = transcript(running, kernel)
    if document:
        put_into(document, text)
    else:
        print(text)  # noqa: T201 - what it is for


@contextmanager
def edited(project: Path) -> Iterator[Running]:
    """A copy of a checkout, and its pod."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "hubpod"
        content.copy(project, copy)
        podman = usable_podman(Workspace(project=PROJECT).state)
        running = Running(name=f"loop-{secrets.token_hex(3)}", podman=podman, project=copy)
        try:
            up = running.type("dev.up")
            if up.code:
                raise SystemExit(up.text)
            yield running
        finally:
            running.down("--volumes")


def transcript(running: Running, kernel: Kernel) -> str:
    """A loop as a person sees it: each edit, the command, and what it prints."""
    before = {path: (running.project / path).read_text() for path in (AUTHENTICATOR, WRAPPER, FRAGMENT)}
    told = [typed(running, step, before) for step in STEPS]
    told.append(watched(running, before))
    if not holds(kernel):
        raise SystemExit("the notebook was lost")
    return "\n".join([*told, SURVIVED]).replace(str(running.project), "~/hubpod")


def typed(running: Running, step: Step, before: Mapping[str, str]) -> str:
    """One edit, then dev.reload."""
    (running.project / step.path).write_text(before[step.path] + step.lines)
    answer = running.type("dev.reload")
    if answer.code != step.code:
        raise SystemExit(f"{step.title}: status {answer.code}\n{answer.text}")
    command = f"$ cat >> {step.path}\n{step.lines.lstrip()}$ ./run invoke dev.reload\n{answer.text}"
    return f"{step.title}:\n\n```console\n{command}```\n"


def watched(running: Running, before: Mapping[str, str]) -> str:
    """What dev.watch prints of some saves."""
    printed = []
    with watching(running, "--spawn") as lines:
        for path, added, last in SAVES:
            (running.project / path).write_text(before[path] + added)
            while last not in (line := next(lines)):
                printed.append(line)
            printed.append(line)
    title = "Saves while `dev.watch` runs: of the authenticator, of a wrapper, and a typing error"
    return f"{title}:\n\n```console\n$ ./run invoke dev.watch --spawn\n{''.join(printed)}```\n"


def put_into(document: Path, text: str) -> None:
    """Replace what is between the marks of a document."""
    old = document.read_text()
    document.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the pod goes then, too
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    main(given.project, given.write)
