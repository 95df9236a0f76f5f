"""The commands as a person types them, as far as they come without podman, or with a stand-in that answers a little."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubpod.cli import dev, reporting
from hubpod.environments import find_instance
from hubpod.system.interrupts import TerminationSignal
from support.instances import PROJECT, argv
from tasks import namespace

STAND_IN = """\
#!/bin/sh
here=${0%/*}
case $1 in
--version) echo "podman version 4.9.3" ;;
ps) cat "$here/ps.json" ;;
volume) echo "[]" ;;
logs) echo $$ >"$here/new" && mv "$here/new" "$here/pid" && exec sleep 60 ;;
exec) exit 7 ;;
esac
"""
IN_TURN = """\
import importlib, json, os, sys
import tasks
from invoke.main import program

for name in sys.argv[3].split():
    importlib.import_module(name)
for number, words in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if not child:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{sys.argv[2]}/{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        sys.argv = ["invoke", *words]
        program.run()
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Types commands one after the other, each in a process of its own that begins with all imports done."""

COMMAND_IMPORTS = sorted(
    f"hubpod.cli.{path.stem}" for path in (PROJECT / "hubpod" / "cli").glob("*.py") if path.stem != "__init__"
)
TOO_LONG_S = 60
ENVIRONMENT_OF = {"dev": "dev_dummyauth", "prod": "prod"}
"""An environment for each kind of command that works on instances."""

SLOW_IMPORTS = {
    *("cryptography", "requests", "rich", "urllib3", "watchfiles", "websockets"),
    *(f"hubpod.{name}" for name in ("client", "commands", "context", "deployment", "images", "podman", "probe")),
}
"""What takes long to import; whoever needs one of them in a task's own module asks doing.py for what uses it."""

IMAGE = "localhost/hubpod/slurm:" + 30 * "0123456789"


def row(container: str) -> dict[str, object]:
    """What podman tells of a container that has ended."""
    instance = find_instance("dev_dummyauth", "default")
    name = f"{instance.resource}-{container}"
    return {"Names": [name], "Image": IMAGE, "State": "exited", "Labels": instance.labels}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the commands need to a directory whose name looks like markup."""
    directory = tmp_path_factory.mktemp("checkout") / "a[b]" / "[" / "foo]"
    shutil.copytree(PROJECT / "hubpod", directory / "hubpod")
    shutil.copy2(PROJECT / "tasks.py", directory)
    return directory


@pytest.fixture
def project(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the copied checkout without state, and with a stand-in for podman on the PATH."""
    for variable in ("HUBPOD_ENVIRONMENT", "HUBPOD_INSTANCE", "PYTHONIOENCODING"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PYTHONUTF8", "1")
    remove(checkout / ".hubpod")
    programs = stand_ins(checkout)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    (programs / "podman").write_text(STAND_IN)
    (programs / "podman").chmod(0o700)
    (programs / "ps.json").write_text("[]")
    (programs / "pid").unlink(missing_ok=True)
    return checkout


def remove(path: Path) -> None:
    """Remove a file, or a directory with its content, if it exists."""
    if path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def stand_ins(project: Path) -> Path:
    """Return the directory with the stand-in for podman, what it answers and what it writes."""
    return project.parents[2]


def type_(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command in a checkout."""
    return started(project, argv(*words))


def started(project: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in a checkout to its end."""
    return subprocess.run(
        words,
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="latin-1" if os.environ.get("PYTHONIOENCODING") else "utf-8",
        timeout=TOO_LONG_S,
        check=False,
    )


MISTYPED = {
    "dev.up -e dev_dumyauth": "environment 'dev_dumyauth' does not exist; did you mean 'dev_dummyauth'?",
    "dev.up -i Mine": "'Mine' is not an instance name; did you mean 'mine'?",
    "dev.up --port 70000": "--port 70000: must be a number from 1 to 65535",
    "dev.up --base bootsrap": "--base bootsrap: must be one of auto, registry, bootstrap; did you mean 'bootstrap'?",
    "dev.up --source [red]=x": "--source [red]=x: there is no source '[red]'",
    "dev.up --deploy-dir ~nosuch/x": "--deploy-dir ~nosuch/x: ",
    "dev.up --publish 10.0.0.7:8081": "--publish 10.0.0.7:8081: the hub's API has port 8081 in the pod",
    "dev.up --publish head:8081:8081": "--publish head:8081:8081: head is not an IP address",
    "dev.up --publish 10.0.0.7:0:8081": "--publish 10.0.0.7:0:8081: the port must be a number from 1 to 65535",
    "dev.up --zenith-image -x": "--zenith-image -x: must name an image with its registry",
    "dev.manifest --target kubernets": "--target kubernets: must be one of podman, kubernetes; did you mean",
    "dev.down -e prod": "prod does not work with dev.* commands",
    "prod.down -e dev_dummyauth": "dev_dummyauth does not work with prod.* commands",
    "dev.volumes --help": "dev.volumes: expected a word, not the option --help",
    "dev.volumes exprot": "dev.volumes exprot: must be one of list, export, import, reset; did you mean 'export'?",
    "dev.volumes export --name homes": "--file is missing",
    "dev.spawn --timeline spawn.png": "--timeline spawn.png: must end with .svg or .html",
    "dev.spawn --timeline nosuch/spawn.svg": "--timeline nosuch/spawn.svg: cannot be written",
    "dev.logs --tail few": "--tail few: must be a number of lines",
}
"""Command lines that invoke can read, and what hubpod says about them."""


def test_a_wrong_command_line_is_a_sentence(project: Path, tmp_path: Path) -> None:
    """What is mistyped is told with what was typed, ends with exit code 2, and nothing was done."""
    lines = json.dumps([line.split() for line in MISTYPED])

    codes = started(
        project, [sys.executable, "-c", IN_TURN, lines, str(tmp_path), " ".join(COMMAND_IMPORTS)]
    ).stdout.split()

    for number, (line, code, sentence) in enumerate(zip(MISTYPED, codes, MISTYPED.values(), strict=True)):
        told = (tmp_path / f"{number}.err").read_text()
        assert code == "2", (line, told)
        assert told.startswith(f"✗ {sentence}")
        assert "Traceback" not in told
        assert not (tmp_path / f"{number}.out").read_text()
    assert not (project / ".hubpod").exists()


@pytest.mark.parametrize("variable", ["HUBPOD_ENVIRONMENT", "HUBPOD_INSTANCE"])
def test_a_wrong_variable_is_named(project: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Nobody has typed the wrong name, so the remedy says where it comes from."""
    monkeypatch.setenv(variable, "No_Such")

    typed = type_(project, "dev.down")

    assert typed.returncode == 2
    assert "'No_Such'" in typed.stderr
    assert f"→ it comes from the variable {variable}; " in typed.stderr


def test_a_folder_that_cannot_be_used_is_a_sentence(project: Path) -> None:
    """What the system refuses is told with the path as it is, and ends with exit code 4."""
    (project / ".hubpod").write_text("not a folder")

    typed = type_(project, "dev.clone")

    assert typed.returncode == 4
    assert f"{project / '.hubpod'}/" in typed.stderr
    assert "Not a directory" in typed.stderr
    assert "Traceback" not in typed.stderr


def test_an_unforeseen_error_is_one_line_without_debug(project: Path) -> None:
    """A person sees what kind of error it was and how to see more; --debug shows the traceback."""
    (stand_ins(project) / "ps.json").write_text("no JSON")

    brief, whole = type_(project, "dev.status"), type_(project, "--debug", "dev.status")

    assert brief.returncode == whole.returncode == 1
    first, second = brief.stderr.splitlines()
    assert first.startswith("✗ unexpected error: JSONDecodeError: Expecting value")
    assert second == "→ run again with --debug"
    assert "Traceback" in whole.stderr


def test_an_encoding_without_signs_gets_plain_marks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the signs cannot be written, no command fails for that, and the marks are letters."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")

    typed = type_(project, "dev.down", "-i", "日本")

    assert typed.returncode == 2
    assert typed.stderr.startswith("!! '??' is not an instance name")
    assert "\n-> use " in typed.stderr


def test_the_status_of_what_is_down_is_one_line(project: Path) -> None:
    """Without containers there is the state alone, and no blanks behind it."""
    typed = type_(project, "dev.status")

    assert typed.stdout == "dev_dummyauth, instance default: down\n", typed.stderr


def test_the_status_is_not_cut_in_a_pipe(project: Path) -> None:
    """Off a terminal every container is one line with aligned columns, however long."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("jupyterhub"), row("slurm")]))

    lines = type_(project, "dev.status").stdout.splitlines()

    assert lines[1:] == [
        "container   state   ready  since  image",
        f"jupyterhub  exited  no            {IMAGE}",
        f"slurm       exited  no            {IMAGE}",
    ]


@pytest.fixture
def following(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that follows the logs, in a group of processes of its own."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))
    with follow(project) as process:
        yield process
        process.kill()


def follow(project: Path, *prefix: str) -> subprocess.Popen[str]:
    """Start to follow the logs, and wait until podman does."""
    process = subprocess.Popen(
        [*prefix, *argv("dev.logs", "--follow")],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + TOO_LONG_S
    while not (stand_ins(project) / "pid").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def podman_runs(project: Path) -> bool:
    """Whether the stand-in still follows."""
    return Path(f"/proc/{(stand_ins(project) / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_that_is_told_to_end_ends_what_it_runs(
    project: Path, following: subprocess.Popen[str], number: int, code: int
) -> None:
    """SIGTERM and SIGHUP reach the podman that follows the logs, although only invoke got them."""
    following.send_signal(number)
    _, told = following.communicate(timeout=TOO_LONG_S)

    assert (following.returncode, told) == (code, "✗ interrupted\n")
    assert not podman_runs(project)


def test_ctrl_c_ends_with_130(project: Path, following: subprocess.Popen[str]) -> None:
    """A terminal's Ctrl-C reaches podman by itself, and the command is an interrupted one."""
    os.killpg(following.pid, signal.SIGINT)
    following.communicate(timeout=TOO_LONG_S)

    assert following.returncode == 130
    assert not podman_runs(project)


def test_a_signal_that_is_ignored_stays_ignored(project: Path) -> None:
    """What nohup started goes on when its terminal hangs up; SIGTERM ends it nevertheless."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))
    with follow(project, "sh", "-c", 'trap "" HUP; exec "$@"', "sh") as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TOO_LONG_S)

    assert process.returncode == 143
    assert not podman_runs(project)


def test_exec_hands_the_status_on(project: Path) -> None:
    """The exit code of dev.exec is that of the command."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))

    assert type_(project, "dev.exec", "slurm", "--", "false").returncode == 7


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            PermissionError(13, "Permission denied", "/a[b]/.hubpod"),
            4,
            "✗ /a[b]/.hubpod: Permission denied\n→ check who owns it and that you may read and write there\n",
        ),
        (OSError(24, "Too many open files"), 4, "✗ system error: Too many open files\n"),
        (TimeoutError("slow"), 1, "✗ unexpected error: TimeoutError: slow\n→ run again with --debug\n"),
        (KeyError("[/x]\n"), 1, "✗ unexpected error: KeyError: '[/x]\\n'\n→ run again with --debug\n"),
        (AssertionError(), 1, "✗ unexpected error: AssertionError\n→ run again with --debug\n"),
        (KeyboardInterrupt(), 130, "✗ why\n"),
        (TerminationSignal(signal.SIGTERM), 143, "✗ why\n"),
        (TerminationSignal(signal.SIGHUP), 129, "✗ why\n"),
    ],
    ids=repr,
)
def test_every_error_is_told(error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of error has its sentence and its exit code."""
    with pytest.raises(SystemExit) as caught, reporting.reporting_errors("why"):
        raise error

    assert caught.value.code == code
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    ("keep", "sentence"), [(False, "nothing incomplete is left"), (True, "what was started is kept")]
)
def test_an_interrupted_up_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, keep: bool, sentence: str
) -> None:
    """With --keep nothing is cleaned up, and the sentence says so."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hubpod.cli.console.verbose_context", interrupted)

    with pytest.raises(SystemExit) as caught:
        dev.up(environment="dev_dummyauth", instance="default", keep=keep)

    assert caught.value.code == 130
    assert sentence in capsys.readouterr().err


def test_a_typed_name_is_not_blamed_on_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that the command line overrules is not the cause."""
    monkeypatch.setenv("HUBPOD_INSTANCE", "mine")

    with pytest.raises(SystemExit):
        dev.down(environment="dev_dummyauth", instance="Yours")

    told = capsys.readouterr().err
    assert "'Yours'" in told
    assert "HUBPOD" not in told


@pytest.mark.parametrize(
    ("commands", "name"),
    [(commands, name) for commands in ENVIRONMENT_OF for name in sorted(namespace.collections[commands].tasks)],
)
def test_every_command_takes_environment_and_instance(
    commands: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two options are the same everywhere, and a wrong name is told before podman is asked for anything."""
    monkeypatch.setenv("PATH", "/nowhere")
    task = namespace.collections[commands].tasks[name]
    words = {"exec": {"container": "slurm"}, "volumes": {"action": "list"}}.get(name, {})

    with pytest.raises(SystemExit) as caught:
        task.body(None, environment=ENVIRONMENT_OF[commands], instance="Mine", **words)

    assert {"e", "i"} <= {each for argument in task.get_arguments() for each in argument.names}
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("✗ 'Mine' is not an instance name; did you mean 'mine'?\n")


def test_a_login_by_token_wants_a_token(project: Path) -> None:
    """Where people log in with a token, dev.spawn says how it gets one."""
    typed = type_(project, "dev.spawn", "--environment=dev_realauth")

    assert typed.returncode == 2
    assert "users log in to dev_realauth with a token" in typed.stderr
    assert "--token-file FILE" in typed.stderr


def test_a_login_by_form_takes_no_token(project: Path, tmp_path: Path) -> None:
    """Where there is a form, a token is refused instead of being ignored."""
    (tmp_path / "token").write_text("eyJ.eyJ.x\n")

    typed = type_(project, "dev.spawn", f"--token-file={tmp_path / 'token'}")

    assert typed.returncode == 2
    assert "leave out --token-file" in typed.stderr


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), ("", "holds 0 words"), ("a b", "holds 2 words")]
)
def test_a_file_without_one_token_is_refused(project: Path, tmp_path: Path, content: str | None, says: str) -> None:
    """A missing file and one that holds anything but a token are named, and nothing of them is shown."""
    if content is not None:
        (tmp_path / "token").write_text(content)

    typed = type_(project, "dev.spawn", "--environment=dev_realauth", f"--token-file={tmp_path / 'token'}")

    assert typed.returncode == 2
    assert says in typed.stderr
    assert str(tmp_path / "token") in typed.stderr


def test_nothing_heavy_is_imported_before_a_command_is_known() -> None:
    """A list, a help text and a mistyped command need what declares the options, and nothing else."""
    names = "import sys, tasks; print(*sys.modules)"

    modules = set(
        subprocess.run([sys.executable, "-c", names], check=True, capture_output=True).stdout.decode().split()
    )

    assert not modules & SLOW_IMPORTS


@pytest.mark.parametrize("asked", [True, False])
def test_what_a_command_has_compiled_is_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asked: bool
) -> None:
    """The next command need not compile hubpod again, unless Python is told to keep no bytecode."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "" if asked else "1")

    type_(project, "dev.status")

    assert {path.stem.partition(".")[0] for path in (tmp_path / "bytecode").rglob("*.pyc")} >= (
        {"dev", "cli", "status"} if asked else set()
    )
    assert asked == (tmp_path / "bytecode").exists()
