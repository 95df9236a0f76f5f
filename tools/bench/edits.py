"""Measure one edit: seconds until it is live, and whether an open notebook survives.

python tools/bench/edits.py KIND --project CHECKOUT --instance NAME [--by dev.reload | dev.up | dev.watch]

Seconds count from the save, immediately before the command starts. An edit of the authenticator or of the hub
configuration is live when the login page shows it and a login succeeds. An edit of a wrapper is live when a call
returns it. The notebook is lost if a variable defined before the edit is gone. CHECKOUT is the instance's own checkout.
The edited file is restored afterwards, but the instance keeps running with the edit. The result is one JSON object.
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

from hubpod.client import HubClient, HubError  # noqa: E402 - needs the path above
from hubpod.client.browser import direct_session  # noqa: E402
from hubpod.client.deadline import Deadline  # noqa: E402
from hubpod.client.kernel import Kernel  # noqa: E402
from hubpod.components.assembly import podman_name  # noqa: E402
from hubpod.podman.machine import usable_podman  # noqa: E402
from hubpod.workspace import Workspace  # noqa: E402
from support.instances import RunningInstance, argv  # noqa: E402

LIVE_TIMEOUT_S = 600.0
POLL_INTERVAL_S = 0.02
WRAPPER = "/opt/jupyter/slurmspawner_wrappers/bin/slurmspawner_squeue"
COMMANDS = ("dev.reload", "dev.up", "dev.watch")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of edit.

    Attributes:
        path: The edited file, relative to the checkout.
        lines: Appended to the file, with a random token in place of `{word}`.
        visible_in: Where the token becomes visible: the login `page`, a wrapper `call`, or nowhere.
    """

    path: str
    lines: str
    visible_in: str = ""


# A banner on the hub's pages, from a module that the hub imports. The login form itself stays unchanged.
BANNER = """
from jupyterhub.handlers.base import BaseHandler
_namespace = BaseHandler.template_namespace.fget
BaseHandler.template_namespace = property(lambda self: {{**_namespace(self), 'announcement': {word!r}}})
"""
KINDS = {
    "authenticator": Kind(
        path="containers/jupyterhub/_dev_build_data/bricsauthenticator/src/bricsauthenticator/__init__.py",
        lines=BANNER,
        visible_in="page",
    ),
    "wrappers": Kind(
        path="containers/slurm/_dev_build_data/slurmspawner_wrappers/src/slurmspawner_wrappers/__init__.py",
        lines="if len(sys.argv) > 1: sys.exit({word!r})\n",
        visible_in="call",
    ),
    "hub-configuration": Kind(
        path="volumes/jupyterhub/axes/login_dummy.py",
        lines="c.JupyterHub.template_vars = {{'announcement': {word!r}}}\n",
        visible_in="page",
    ),
    "job-script": Kind(path="volumes/jupyterhub/core/batch_script.sh.j2", lines="# {word}\n"),
    "slurm-configuration": Kind(path="volumes/slurm/slurm.conf", lines="# {word}\n"),
}


def measure_edit(instance: RunningInstance, kind: Kind, command: str) -> dict[str, float]:
    """Edit one file, apply the edit, and return the metrics."""
    status, password = instance.status, instance.password
    client, path = HubClient(status["url"]), instance.project / kind.path
    word, before = secrets.token_hex(8), path.read_text()
    is_live = {
        "page": lambda: page_shows(client, password, word),
        "call": lambda: word in call_wrapper(instance),
    }
    with (
        open_notebook(client, password) as kernel,
        restoring(path),
        prepare_command(instance, command) as start_command,
    ):
        start = time.monotonic()
        path.write_text(before + kind.lines.format(word=word))
        wait_for_end = start_command()
        metrics = {"live": wait_until(is_live[kind.visible_in], start)} if kind.visible_in else {}
        metrics["command ended"] = wait_for_end() - start
        metrics["notebooks lost, number"] = float(not keeps_state(kernel))
    return metrics


@contextmanager
def open_notebook(client: HubClient, password: str) -> Iterator[Kernel]:
    """Start a server and a kernel, and define a variable in it."""
    server = client.login("testuser", password).spawn(project="project1")
    try:
        with server.kernel() as kernel:
            kernel.execute("before = 41")
            yield kernel
    finally:
        with suppress(HubError):  # the server may be gone with its Slurm
            server.stop()


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Restore the content of a file at the end of the block."""
    before = path.read_text()
    try:
        yield
    finally:
        path.write_text(before)


def wait_until(condition: Callable[[], bool], start: float) -> float:
    """Poll until a condition holds, and return the seconds since `start`."""
    deadline = Deadline(LIVE_TIMEOUT_S, "the edit")
    while not condition():
        deadline.pause(POLL_INTERVAL_S)
    return time.monotonic() - start


def page_shows(client: HubClient, password: str, word: str) -> bool:
    """Return whether the login page contains the word and a login succeeds."""
    try:
        with direct_session() as browser:
            return word in browser.get(f"{client.url}/hub/login", timeout=LIVE_TIMEOUT_S).text and bool(
                client.login("otheruser", password)
            )
    except (OSError, HubError):  # the hub restarts
        return False


def call_wrapper(instance: RunningInstance) -> str:
    """Call a wrapper with an argument, and return its standard error."""
    return instance.podman.execute(podman_name(instance.instance, "slurm"), [WRAPPER, "argument"]).stderr


def keeps_state(kernel: Kernel) -> bool:
    """Return whether the notebook still has its variable."""
    try:
        return kernel.execute("before + 1") == "42"
    except (OSError, HubError):
        return False


@contextmanager
def prepare_command(instance: RunningInstance, command: str) -> Iterator[Callable[[], Callable[[], float]]]:
    """Yield a function that starts the command and returns a function waiting for its end.

    The latter returns the time of the end. `dev.watch` runs during the whole block, and applies each save by itself.
    """
    if command != "dev.watch":
        words = argv(command, f"--instance={instance.name}")
        yield lambda: start_process(words, instance.project)
        return
    with watch(instance) as lines:
        yield lambda: lambda: end_of_reload(next(lines))


@contextmanager
def watch(instance: RunningInstance, *options: str) -> Iterator[Iterator[str]]:
    """Run `dev.watch` for the block, and yield its further output as lines, errors included."""
    command = argv("dev.watch", f"--instance={instance.name}", *options)
    with subprocess.Popen(
        command, cwd=instance.project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines = iter(process.stdout.readline, "") if process.stdout else iter(())
        try:
            if not any("watching" in line for line in lines):
                raise SystemExit("dev.watch exited before it watched the checkout")
            yield lines
        finally:
            process.send_signal(signal.SIGINT)


def start_process(words: list[str], directory: Path) -> Callable[[], float]:
    """Start a process, and return a function that waits for it and returns its end time."""
    process = subprocess.Popen(words, cwd=directory, stderr=subprocess.STDOUT, stdout=subprocess.PIPE)

    def wait() -> float:
        output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(output.decode())
        return time.monotonic()

    return wait


def end_of_reload(line: str) -> float:
    """Return the current time if the line reports a successful reload, or exit."""
    if "healthy" not in line:
        raise SystemExit(line)
    return time.monotonic()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # restore the file and stop the notebook
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--by", default=COMMANDS[0], choices=COMMANDS)
    arguments = parser.parse_args()
    podman = usable_podman(Workspace(project=PROJECT))
    running = RunningInstance(name=arguments.instance, podman=podman, project=arguments.project)
    result = measure_edit(running, KINDS[arguments.kind], arguments.by)
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))  # noqa: T201 - the script's result
