"""One edit of a running instance: how long until it is live, and what becomes of a notebook; figures in JSON.

python tools/bench/edits.py KIND --project CHECKOUT --instance NAME [--by dev.reload | dev.up | dev.watch]

Seconds count from the save, which is the moment before the command is typed. An edit of the authenticator or of the
hub's configuration is live when a person logs in through a page that has it, one of a wrapper when a call has it. The
notebook is there before, and is lost when it no longer holds what was computed in it. The checkout is the instance's
own, and the file is afterwards as it was; what runs then has the edit still.
"""

import argparse
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tools"), str(PROJECT / "tests")]

from hubpod.client import HubClient, HubError  # noqa: E402
from hubpod.client.browser import direct_session  # noqa: E402
from hubpod.client.deadline import Deadline  # noqa: E402
from hubpod.client.kernel import Kernel  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.instances import Running, argv  # noqa: E402 - found by the line above

LIVE_S = 600.0
LOOK_AGAIN_S = 0.02
WRAPPER = "/opt/jupyter/slurmspawner_wrappers/bin/slurmspawner_squeue"
COMMANDS = ("dev.reload", "dev.up", "dev.watch")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of edit.

    Attributes:
        path: Which file of the checkout.
        lines: What is added at its end, with a word that nothing else has for `{word!r}`.
        seen: Where that word is seen: on the `page`, in a `call`, or nowhere.
    """

    path: str
    lines: str
    seen: str = ""


# In a module that the hub imports: a banner on its pages, which leaves the form of the login as it is.
ANNOUNCED = """
from jupyterhub.handlers.base import BaseHandler
_namespace = BaseHandler.template_namespace.fget
BaseHandler.template_namespace = property(lambda self: {{**_namespace(self), 'announcement': {word!r}}})
"""
KINDS = {
    "authenticator": Kind(
        path="containers/jupyterhub/_dev_build_data/bricsauthenticator/src/bricsauthenticator/__init__.py",
        lines=ANNOUNCED,
        seen="page",
    ),
    "wrappers": Kind(
        path="containers/slurm/_dev_build_data/slurmspawner_wrappers/src/slurmspawner_wrappers/__init__.py",
        lines="if len(sys.argv) > 1: sys.exit({word!r})\n",
        seen="call",
    ),
    "hub-configuration": Kind(
        path="volumes/jupyterhub/axes/login_dummy.py",
        lines="c.JupyterHub.template_vars = {{'announcement': {word!r}}}\n",
        seen="page",
    ),
    "job-script": Kind(path="volumes/jupyterhub/core/batch_script.sh.j2", lines="# {word}\n"),
    "slurm-configuration": Kind(path="volumes/slurm/slurm.conf", lines="# {word}\n"),
}


def figures(running: Running, kind: Kind, by: str) -> dict[str, float]:
    """Edit once."""
    status, password = running.status, running.password
    client, path = HubClient(status["url"]), running.project / kind.path
    word, before = secrets.token_hex(8), path.read_text()
    looks = {"page": lambda: logged_in(client, password, word), "call": lambda: word in called(running)}
    with notebook(client, password) as kernel, restored(path), made_live(running, by) as begin:
        begun = time.monotonic()
        path.write_text(before + kind.lines.format(word=word))
        ended = begin()
        found = {"live": waited(looks[kind.seen], begun)} if kind.seen else {}
        found["command ended"] = ended() - begun
        found["notebooks lost, number"] = float(not holds(kernel))
    return found


@contextmanager
def notebook(client: HubClient, password: str) -> Iterator[Kernel]:
    """One that is open, with something computed in it."""
    server = client.login("testuser", password).spawn(project="project1")
    try:
        with server.kernel() as kernel:
            kernel.execute("before = 41")
            yield kernel
    finally:
        with suppress(HubError):  # it may be gone with its Slurm
            server.stop()


@contextmanager
def restored(path: Path) -> Iterator[None]:
    """A file is afterwards as it was."""
    before = path.read_text()
    try:
        yield
    finally:
        path.write_text(before)


def waited(look: Callable[[], bool], begun: float) -> float:
    """Seconds from then until it is seen."""
    deadline = Deadline(LIVE_S, "the edit")
    while not look():
        deadline.pause(LOOK_AGAIN_S)
    return time.monotonic() - begun


def logged_in(client: HubClient, password: str, word: str) -> bool:
    """Whether the page of the login has the word, and lets a person in."""
    try:
        with direct_session() as browser:
            return word in browser.get(f"{client.url}/hub/login", timeout=LIVE_S).text and bool(
                client.login("otheruser", password)
            )
    except (OSError, HubError):  # a hub that restarts
        return False


def called(running: Running) -> str:
    """What a wrapper says when it is called with an argument."""
    return running.podman.execute(f"{running.resource}-slurm", [WRAPPER, "argument"]).stderr


def holds(kernel: Kernel) -> bool:
    """Whether a notebook still has what was computed in it."""
    try:
        return kernel.execute("before + 1") == "42"
    except (OSError, HubError):
        return False


@contextmanager
def made_live(running: Running, by: str) -> Iterator[Callable[[], Callable[[], float]]]:
    """What makes an edit live once it is called: it tells when that has ended.

    A dev.watch runs already, and is called nothing; it ends with the block.
    """
    if by != "dev.watch":
        yield lambda: typed(argv(by, f"--instance={running.name}"), running.project)
        return
    with watching(running) as lines:
        yield lambda: lambda: line_of(next(lines))


@contextmanager
def watching(running: Running, *words: str) -> Iterator[Iterator[str]]:
    """What a dev.watch prints about saves, its errors between its lines; it is ended with the block."""
    command = argv("dev.watch", f"--instance={running.name}", *words)
    with subprocess.Popen(
        command, cwd=running.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines = iter(process.stdout.readline, "") if process.stdout else iter(())
        try:
            if not any("watching" in line for line in lines):
                raise SystemExit("dev.watch has ended")
            yield lines
        finally:
            process.send_signal(signal.SIGINT)


def typed(words: list[str], folder: Path) -> Callable[[], float]:
    """Type a command; what is returned waits for its end, and tells when it was."""
    started = subprocess.Popen(words, cwd=folder, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)

    def ended() -> float:
        told, _ = started.communicate()
        if started.returncode:
            raise SystemExit(told.decode())
        return time.monotonic()

    return ended


def line_of(line: str) -> float:
    """When a dev.watch has told that a reload went well."""
    if "healthy" not in line:
        raise SystemExit(line)
    return time.monotonic()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that file and notebook are put right then, too
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--by", default=COMMANDS[0], choices=COMMANDS)
    given = parser.parse_args()
    podman = usable_podman(Workspace(project=PROJECT).state)
    one = Running(name=given.instance, podman=podman, project=given.project)
    result = figures(one, KINDS[given.kind], given.by)
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))  # noqa: T201 - what it is for
