"""Record the console session in docs/edit-loop.md: edits while a notebook is open.

python tools/bench/edit_loop.py [--write docs/edit-loop.md]

Works on a copy of the checkout, with a pod of its own. With --write the recording replaces the previous one in a
document. The document stays unchanged when a command exits with an unexpected status or the notebook is lost.
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

from bench.edits import KINDS, keeps_state, open_notebook, watch  # noqa: E402 - needs the path above
from hubpod.client import HubClient  # noqa: E402
from hubpod.client.kernel import Kernel  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.sources import content  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.instances import RunningInstance  # noqa: E402

AUTHENTICATOR, WRAPPER, FRAGMENT = (KINDS[name].path for name in ("authenticator", "wrappers", "hub-configuration"))
BEGIN, END = "<!-- loop -->\n", "<!-- /loop -->\n"
NOTEBOOK_SURVIVED = "A notebook that was opened before the first of these edits still has its variables.\n"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit, applied by `dev.reload`.

    Attributes:
        title: Caption in the document.
        path: The edited file.
        lines: Appended to the file.
        code: Expected exit code of the command.
    """

    title: str
    path: str
    lines: str
    code: int = 0


def banner(text: str) -> str:
    """Return an edit of the authenticator that adds a banner to the hub's pages."""
    return KINDS["authenticator"].lines.format(word=text)


STEPS = (
    Step(title="A banner, from the authenticator", path=AUTHENTICATOR, lines=banner("mine")),
    Step(title="A line of a wrapper", path=WRAPPER, lines="# mine\n"),
    Step(title="A syntax error", path=AUTHENTICATOR, lines="x = (\n", code=5),
    Step(title="A bug that ends the hub", path=AUTHENTICATOR, lines="raise RuntimeError('a bug of mine')\n", code=7),
    Step(title="The edit reverted by hand", path=AUTHENTICATOR, lines=banner("mine")),
    Step(
        title="A line of the hub configuration",
        path=FRAGMENT,
        lines=KINDS["hub-configuration"].lines.format(word="mine"),
    ),
)
SAVES = ((AUTHENTICATOR, banner("at once"), "spawn:"), (WRAPPER, "# at once\n", "spawn:"), (WRAPPER, "x = (\n", "→"))
"""Saves while `dev.watch` runs: file, appended lines, and a text in the last line that the save makes it print."""


def main(project: Path, document: Path | None) -> None:
    """Record a session, and print it or write it into a document."""
    with running_copy(project) as instance:
        client = HubClient(instance.status["url"])
        with open_notebook(client, instance.password) as kernel:
            text = record_session(instance, kernel)
    if document:
        replace_recording(document, text)
    else:
        print(text)  # noqa: T201 - the script's result


@contextmanager
def running_copy(project: Path) -> Iterator[RunningInstance]:
    """Copy a checkout and bring up an instance of the copy."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "hubpod"
        content.copy(project, copy)
        podman = usable_podman(Workspace(project=PROJECT))
        instance = RunningInstance(name=f"loop-{secrets.token_hex(3)}", podman=podman, project=copy)
        try:
            up = instance.invoke("dev.up")
            if up.code:
                raise SystemExit(up.text)
            yield instance
        finally:
            instance.down("--volumes")


def record_session(instance: RunningInstance, kernel: Kernel) -> str:
    """Run all edits, and return each edit, its command and its output as Markdown."""
    before = {path: (instance.project / path).read_text() for path in (AUTHENTICATOR, WRAPPER, FRAGMENT)}
    parts = [record_reload(instance, step, before) for step in STEPS]
    parts.append(record_watch(instance, before))
    if not keeps_state(kernel):
        raise SystemExit("the notebook was lost")
    return "\n".join([*parts, NOTEBOOK_SURVIVED]).replace(str(instance.project), "~/hubpod")


def record_reload(instance: RunningInstance, step: Step, before: Mapping[str, str]) -> str:
    """Make one edit and run `dev.reload`."""
    (instance.project / step.path).write_text(before[step.path] + step.lines)
    result = instance.invoke("dev.reload")
    if result.code != step.code:
        raise SystemExit(f"{step.title}: exit code {result.code}, expected {step.code}\n{result.text}")
    session = f"$ cat >> {step.path}\n{step.lines.lstrip()}$ ./run invoke dev.reload\n{result.text}"
    return f"{step.title}:\n\n```console\n{session}```\n"


def record_watch(instance: RunningInstance, before: Mapping[str, str]) -> str:
    """Save some edits while `dev.watch` runs."""
    output = []
    with watch(instance, "--spawn") as lines:
        for path, added, last in SAVES:
            (instance.project / path).write_text(before[path] + added)
            while last not in (line := next(lines)):
                output.append(line)
            output.append(line)
    title = "Saves while `dev.watch` runs: of the authenticator, of a wrapper, and a syntax error"
    return f"{title}:\n\n```console\n$ ./run invoke dev.watch --spawn\n{''.join(output)}```\n"


def replace_recording(document: Path, text: str) -> None:
    """Replace the text between the markers of a document."""
    old = document.read_text()
    document.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", old, flags=re.DOTALL))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # remove the pod
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    main(arguments.project, arguments.write)
