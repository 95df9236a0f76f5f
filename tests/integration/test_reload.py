"""The loop of somebody who edits: a save is live in the pod that runs, and notebooks go on."""

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
from support.instances import PROJECT, CommandResult, RunningInstance, argv
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
LETS_NOBODY_IN = """
from jupyterhub.auth import Authenticator
async def nobody(*_, **__): return None
Authenticator.get_authenticated_user = nobody
"""
LEAVES_A_MARK = """
from pathlib import Path
Path(f"/tmp/{mark}-{{os.getuid()}}").touch()
"""
DEADLINE_S = 120


@dataclass(frozen=True, kw_only=True)
class Editor:
    """Somebody with a notebook, who edits the code of a running instance."""

    running: RunningInstance
    session: Session
    kernel: Kernel

    def module(self, name: str) -> Path:
        """The module of a source's clone."""
        (source,) = (each for each in SOURCES if each.name == name)
        return source.clone(self.running.project) / "src" / name / "__init__.py"

    def reload(self) -> CommandResult:
        """Type dev.reload."""
        return self.running.invoke("dev.reload")

    def login_page(self) -> str:
        """What the hub shows to who is not logged in."""
        with direct_session() as browser:
            return browser.get(f"{self.running.status['url']}/hub/login", timeout=10).text

    def started(self) -> dict[str, int]:
        """When each container was started."""
        states = self.running.podman.containers(self.running.instance.labels)
        return {name: state.started for name, state in states.items()}

    def has_notebook(self) -> bool:
        """Whether the notebook of the beginning still has its kernel, with what was computed in it."""
        return self.kernel.execute("before + 1") == "42"


@pytest.fixture(scope="module")
def editor(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One instance of a checkout that may be edited, with a notebook that is open all the time."""
    project = tmp_path_factory.mktemp("edited") / "checkout"
    content.copy(PROJECT, project)
    running = RunningInstance(name=f"it-{secrets.token_hex(4)}", podman=podman, project=project)
    try:
        up = running.invoke("dev.up")
        assert up.code == 0, up.text
        session = running.login()
        with session.spawn(project="project1").kernel() as kernel:
            kernel.execute("before = 41")
            yield Editor(running=running, session=session, kernel=kernel)
    finally:
        running.down("--volumes")
    assert not running.remaining_resources()


@pytest.fixture
def edit() -> Iterator[Callable[[Path, str], None]]:
    """Adds lines to a file; it is as it was after the test."""
    before: dict[Path, str] = {}

    def add(path: Path, lines: str) -> None:
        before.setdefault(path, path.read_text())
        path.write_text(before[path] + lines)

    yield add
    for path, text in before.items():
        path.write_text(text)


def test_an_edited_authenticator_serves_the_login_page(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Only the hub restarts, in its container, with the new code; a second reload has nothing to do."""
    started = editor.started()
    edit(editor.module("bricsauthenticator"), LOGIN_PAGE.format(words="a page of my own"))

    first = editor.reload()
    second = editor.reload()

    assert first.code == 0, first.text
    assert "hub-source; restarted: jupyterhub " in first.text
    assert "a page of my own" in editor.login_page()
    assert editor.has_notebook()
    assert (second.code, editor.started()) == (0, started), second.text
    assert "nothing changed" in second.text


def test_an_edited_wrapper_is_in_use_at_once(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The next spawn goes through the edited wrapper, and nothing has restarted for it."""
    assert editor.reload().code == 0
    started, mark = editor.started(), secrets.token_hex(4)
    edit(editor.module("slurmspawner_wrappers"), LEAVES_A_MARK.format(mark=mark))

    typed = editor.reload()
    spawn = editor.running.invoke("dev.spawn", "--user=otheruser")

    assert typed.code == 0, typed.text
    assert editor.started() == started
    assert spawn.code == 0, spawn.text
    assert mark in editor.running.execute("slurm", "ls", "/tmp")  # noqa: S108 - in the container
    assert editor.has_notebook()


def test_an_edited_slurm_configuration_loses_no_notebook(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Slurm's daemons take it up while jobs go on."""
    configuration, before = editor.running.project / "volumes/slurm/slurm.conf", editor.started()

    edit(configuration, "\nHealthCheckInterval=17\n")
    done = editor.reload()

    assert done.code == 0, done.text
    assert "HealthCheckInterval     = 17 sec" in editor.running.execute("slurm", "scontrol", "show", "config")
    assert editor.started() == before
    assert editor.has_notebook()
    assert editor.session.server().is_active()


@pytest.mark.parametrize(
    ("line", "told"),
    [("Nod=1", "unrecognized key: Nod"), ("PartitionName=x Nodes=nosuch", "fatal: Invalid node names in partition x")],
)
def test_a_refused_slurm_configuration_is_taken_back(
    editor: Editor, edit: Callable[[Path, str], None], line: str, told: str
) -> None:
    """What its parser does not understand and what its controller dies of are both shown, and lose no notebook."""
    before = editor.started()

    edit(editor.running.project / "volumes/slurm/slurm.conf", f"\n{line}\n")
    done = editor.reload()

    assert done.code == 7, done.text
    assert told in done.stderr
    assert "what ran before runs again" in done.stderr
    assert editor.started() == before
    assert editor.has_notebook()
    assert editor.session.server().is_active()


def test_what_cannot_be_compiled_touches_nothing(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """A typing error is told with its file and line, and the hub goes on as it was."""
    assert editor.reload().code == 0
    started, module = editor.started(), editor.module("bricsauthenticator")
    lines = len(module.read_text().splitlines())
    edit(module, "x = (\n")

    typed = editor.reload()

    assert (typed.code, editor.started()) == (5, started), typed.text
    assert f"{module}, line {lines + 1}: " in typed.stderr


def test_a_broken_edit_is_shown_and_taken_back(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The traceback names the clone's file; meanwhile the hub serves with the code from before."""
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


def test_a_killed_reload_is_put_right_by_the_next(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """Killed while it writes, it leaves nothing that the next one does not do again."""
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

    typed = editor.reload()

    assert typed.code == 0, typed.text
    assert "in spite of all" in editor.login_page()
    assert editor.has_notebook()


@contextmanager
def watching(editor: Editor, *words: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A dev.watch that runs, and what it prints."""
    argument_list = argv("dev.watch", f"--instance={editor.running.name}", *words)
    with subprocess.Popen(
        argument_list, cwd=editor.running.project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process, iter(process.stdout.readline, "")
        finally:
            process.send_signal(signal.SIGINT)


def test_watching_makes_each_save_live(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """A save is live and proved without a command, a broken one does not end it, and Ctrl-C does, with its status."""
    module = editor.module("bricsauthenticator")
    with watching(editor, "--spawn") as (process, told):
        first = list(takewhile(lambda line: "watching" not in line, told))

        edit(module, "x = (\n")
        broken = next(told)
        edit(module, BANNER.format(words="seen at once"))
        live = next(told)
        page = editor.login_page()
        proof = next(told)
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


def test_watching_tests_what_was_edited(editor: Editor, edit: Callable[[Path, str], None]) -> None:
    """The harness's tests run with the clone as it lies here: one that lets nobody in fails."""
    edit(editor.module("bricsauthenticator"), LETS_NOBODY_IN)
    project = editor.running.project
    try:
        with watching(editor, "--test=the_password_logs_in") as (_, told):
            printed = list(takewhile(lambda line: "watching" not in line, told))
    finally:
        assert run_pytest("--hubpod-clean", cwd=project).code == 0

    text = "".join(printed)
    assert "LoginRefused" in text, text
    assert "tests matching 'the_password_logs_in': failed" in printed[-1]


def test_nothing_to_reload_is_told_with_its_remedy(instances: Callable[[], RunningInstance]) -> None:
    """Where nothing runs there is one sentence, and the command that brings it up."""
    typed = instances().invoke("dev.reload")

    assert typed.code == 8, typed.text
    assert "dev.up" in typed.stderr
    assert len(typed.stderr.splitlines()) == 3
