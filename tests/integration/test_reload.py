"""The edit loop: saves become live in the running pod, and notebooks keep running."""

import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

from hubpod.client import Session
from hubpod.client.browser import direct_session
from hubpod.client.deadline import Deadline
from hubpod.client.kernel import Kernel
from hubpod.deployment import seeding
from hubpod.podman.cli import Podman
from hubpod.sources import content
from hubpod.sources.clones import SOURCES
from hubpod.workspace import Workspace
from support.instances import PROJECT, CommandResult, RunningInstance, argv, temporary_instance
from support.runs import run_pytest

LOGIN_PAGE = """
from jupyterhub.auth import Authenticator
Authenticator.get_custom_html = lambda self, base_url: "<p>{words}</p>"
"""
BANNER = """
from jupyterhub.handlers.base import BaseHandler
_namespace = BaseHandler.template_namespace.fget
BaseHandler.template_namespace = property(lambda self: {{**_namespace(self), "announcement": "{words}"}})
"""
REFUSE_LOGINS = """
from jupyterhub.auth import Authenticator
async def refuse(*_, **__): return None
Authenticator.get_authenticated_user = refuse
"""
CREATE_MARKER = """
from pathlib import Path
Path(f"/tmp/{mark}-{{os.getuid()}}").touch()
"""
DEADLINE_S = 120


@dataclass(frozen=True, kw_only=True)
class Editor:
    """A developer with an open notebook who edits the code of a running instance."""

    running: RunningInstance
    session: Session
    kernel: Kernel

    def module(self, name: str) -> Path:
        """Return the main module of a source's clone."""
        (source,) = (each for each in SOURCES if each.name == name)
        return source.clone(self.running.project) / "src" / name / "__init__.py"

    def reload(self) -> CommandResult:
        """Run dev.reload."""
        return self.running.invoke("dev.reload")

    def login_page(self) -> str:
        """Return the login page."""
        with direct_session() as browser:
            return browser.get(f"{self.running.status['url']}/hub/login", timeout=10).text

    def start_times(self) -> dict[str, int]:
        """Return the start time of each container."""
        states = self.running.podman.containers(self.running.instance.labels)
        return {name: state.started for name, state in states.items()}

    def has_notebook(self) -> bool:
        """Return whether the open notebook still has its kernel and variables."""
        return self.kernel.execute("before + 1") == "42"


@pytest.fixture(scope="module")
def editor(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """Bring up an instance of a copy of the checkout, and open a notebook."""
    project = tmp_path_factory.mktemp("edited") / "checkout"
    content.copy(PROJECT, project)
    with temporary_instance(podman, project=project) as running:
        up = running.invoke("dev.up")
        assert up.code == 0, up.text
        session = running.login()
        with session.spawn(project="project1").kernel() as kernel:
            kernel.execute("before = 41")
            yield Editor(running=running, session=session, kernel=kernel)


@pytest.fixture
def edit() -> Iterator[Callable[[Path, str], None]]:
    """Return a function that appends lines to a file. Files are restored after the test."""
    before: dict[Path, str] = {}

    def add(path: Path, lines: str) -> None:
        before.setdefault(path, path.read_text())
        path.write_text(before[path] + lines)

    yield add
    for path, text in before.items():
        path.write_text(text)


def test_an_edited_authenticator_serves_the_login_page(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Only the hub restarts, within its container. A second reload does nothing."""
    started = editor.start_times()
    edit(editor.module("bricsauthenticator"), LOGIN_PAGE.format(words="a page of my own"))

    first = editor.reload()
    second = editor.reload()

    assert first.code == 0, first.text
    assert "hub-source; restarted: jupyterhub " in first.text
    assert "a page of my own" in editor.login_page()
    assert editor.has_notebook()
    assert (second.code, editor.start_times()) == (0, started), second.text
    assert "nothing changed" in second.text


def test_an_edited_wrapper_is_used_at_once(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The next spawn runs the edited wrapper without any restart."""
    assert editor.reload().code == 0
    started, mark = editor.start_times(), secrets.token_hex(4)
    edit(editor.module("slurmspawner_wrappers"), CREATE_MARKER.format(mark=mark))

    result = editor.reload()
    spawn = editor.running.invoke("dev.spawn", "--user=otheruser")

    assert result.code == 0, result.text
    assert editor.start_times() == started
    assert spawn.code == 0, spawn.text
    assert mark in editor.running.execute("slurm", "ls", "/tmp")  # noqa: S108 - in the container
    assert editor.has_notebook()


def test_an_edited_slurm_configuration_loses_no_notebook(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Slurm's daemons reload it while jobs keep running."""
    configuration, before = editor.running.project / "volumes/slurm/slurm.conf", editor.start_times()

    edit(configuration, "\nHealthCheckInterval=17\n")
    done = editor.reload()

    assert done.code == 0, done.text
    assert "HealthCheckInterval     = 17 sec" in editor.running.execute("slurm", "scontrol", "show", "config")
    assert editor.start_times() == before
    assert editor.has_notebook()
    assert editor.session.server().is_active()


@pytest.mark.parametrize(
    ("line", "message"),
    [("Nod=1", "unrecognized key: Nod"), ("PartitionName=x Nodes=nosuch", "fatal: Invalid node names in partition x")],
)
def test_a_refused_slurm_configuration_is_reverted(
    editor: Editor, edit: Callable[[Path, str], None], line: str, message: str
) -> None:
    """A parse error and a crash of the controller are both reported, and lose no notebook."""
    before = editor.start_times()

    edit(editor.running.project / "volumes/slurm/slurm.conf", f"\n{line}\n")
    done = editor.reload()

    assert done.code == 7, done.text
    assert message in done.stderr
    assert "what ran before runs again" in done.stderr
    assert editor.start_times() == before
    assert editor.has_notebook()
    assert editor.session.server().is_active()


def test_a_syntax_error_changes_nothing(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """A syntax error is reported with its file and line, and the hub keeps running."""
    assert editor.reload().code == 0
    started, module = editor.start_times(), editor.module("bricsauthenticator")
    lines = len(module.read_text().splitlines())
    edit(module, "x = (\n")

    result = editor.reload()

    assert (result.code, editor.start_times()) == (5, started), result.text
    assert f"{module}, line {lines + 1}: " in result.stderr


def test_a_broken_edit_is_reported_and_reverted(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The traceback names the clone's file, and the hub runs the previous code."""
    module = editor.module("bricsauthenticator")
    edit(module, LOGIN_PAGE.format(words="the last good page"))
    assert editor.reload().code == 0

    edit(module, "raise RuntimeError('a bug of my own')\n")
    broken = editor.reload()
    after = editor.login_page()
    edit(module, LOGIN_PAGE.format(words="the corrected page"))
    corrected = editor.reload()

    assert broken.code == 7, broken.text
    assert "RuntimeError: a bug of my own" in broken.stderr
    assert f'File "{module}", line ' in broken.stderr
    assert "the last good page" in after
    assert corrected.code == 0, corrected.text
    assert "the corrected page" in editor.login_page()
    assert editor.has_notebook()


def test_the_next_reload_recovers_from_a_killed_one(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """A SIGKILL during the write is repaired by the next reload."""
    edit(editor.module("bricsauthenticator"), LOGIN_PAGE.format(words="in spite of all"))
    running = editor.running
    words = ("dev.reload", f"--instance={running.name}")
    killed = subprocess.Popen(argv(*words), cwd=running.project, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    deadline = Deadline(DEADLINE_S, "the beginning of a reload")
    workspace = Workspace(project=running.project)
    while seeding.UNFINISHED not in workspace.files(running.instance).load_record().written.values():
        deadline.pause(0.01)
    killed.kill()
    killed.wait()

    result = editor.reload()

    assert result.code == 0, result.text
    assert "in spite of all" in editor.login_page()
    assert editor.has_notebook()


@contextmanager
def run_watch(editor: Editor, *words: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """Run dev.watch, and yield the process and its output as lines."""
    argument_list = argv("dev.watch", f"--instance={editor.running.name}", *words)
    with subprocess.Popen(
        argument_list, cwd=editor.running.project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process, iter(process.stdout.readline, "")
        finally:
            process.send_signal(signal.SIGINT)


def test_watch_applies_each_save(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Each save is applied and proven. Only Ctrl-C ends dev.watch, not a broken save."""
    module = editor.module("bricsauthenticator")
    with run_watch(editor, "--spawn") as (process, lines):
        first = list(takewhile(lambda line: "watching" not in line, lines))

        edit(module, "x = (\n")
        broken = next(lines)
        edit(module, BANNER.format(words="seen at once"))
        live = next(lines)
        page = editor.login_page()
        proof = next(lines)
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=DEADLINE_S)

    assert "spawn: otheruser got a notebook, " in first[-1]
    assert "bricsauthenticator/__init__.py: not live" in broken
    assert "bricsauthenticator/__init__.py: restarted jupyterhub, healthy after" in live
    assert "seen at once" in page
    assert "spawn: otheruser got a notebook, " in proof
    assert editor.has_notebook()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest


def test_watch_runs_the_tests_on_the_edited_clone(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The harness runs with the edited clone, and fails for one that refuses every login."""
    edit(editor.module("bricsauthenticator"), REFUSE_LOGINS)
    project = editor.running.project
    try:
        with run_watch(editor, "--test=the_password_logs_in") as (_, lines):
            printed = list(takewhile(lambda line: "watching" not in line, lines))
    finally:
        assert run_pytest("--hubpod-clean", cwd=project).code == 0

    text = "".join(printed)
    assert "LoginRefused" in text, text
    assert "tests matching 'the_password_logs_in': failed" in printed[-1]


def test_reload_without_an_instance_names_the_remedy(instances: Callable[[], RunningInstance]) -> None:
    """The error contains the command that brings up the instance."""
    result = instances().invoke("dev.reload")

    assert result.code == 8, result.text
    assert "dev.up" in result.stderr
    assert len(result.stderr.splitlines()) == 4  # the instance, preflight, the error and its remedy
