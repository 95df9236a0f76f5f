"""The commands as users type them, without podman or with a stand-in for it."""

import io
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

from hubpod.cli import dev, output, reporting
from hubpod.components.assembly import podman_name
from hubpod.environments import find_environment
from hubpod.instances import find_instance
from hubpod.podman.findings import Finding, Verdict
from hubpod.system.interrupts import TerminationSignal
from hubpod_tasks.table import namespace
from support.instances import PROJECT, argv
from support.sites import site

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
RUN_IN_SEQUENCE = """\
import importlib, json, os, sys
import hubpod_tasks.program
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
"""Runs commands one after the other, each in a forked process that already has all imports."""

COMMAND_IMPORTS = sorted(
    f"hubpod.cli.{path.stem}" for path in (PROJECT / "hubpod" / "cli").glob("*.py") if path.stem != "__init__"
)
TOO_LONG_S = 60
ENVIRONMENT_OF = {"dev": "dev_dummyauth", "prod": "prod"}
"""An environment for each group of commands."""

SLOW_IMPORTS = {
    *("cryptography", "requests", "rich", "urllib3", "watchfiles", "websockets"),
    *(f"hubpod.{name}" for name in ("client", "commands", "context", "deployment", "images", "podman", "probe")),
}
"""Packages that take long to import, so that commands import them in their bodies."""

IMAGE = "localhost/hubpod/slurm:" + 30 * "0123456789"


def row(container: str, state: str = "exited") -> dict[str, object]:
    """Return what podman reports of a container."""
    instance = find_instance("dev_dummyauth", "default")
    name = podman_name(instance, container)
    return {"Names": [name], "Image": IMAGE, "State": state, "Labels": instance.labels}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the commands need to a directory whose name looks like markup."""
    directory = tmp_path_factory.mktemp("checkout") / "a[b]" / "[" / "foo]"
    for package in ("hubpod", "hubpod_tasks"):
        shutil.copytree(PROJECT / package, directory / package)
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


def run_task(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an invoke command in a checkout."""
    return run_program(project, argv(*words))


def run_program(project: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program in a checkout and wait for it."""
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
    "prod.volumes exprot": "prod.volumes exprot: must be one of list, export, import, reset; did you mean 'export'?",
    "prod.volumes reset --name hub-data": "Remove the present content of hub-data of hubpod-prod--default?",
    "prod.manifest --fill-volumes --target kubernetes": "--fill-volumes is for podman, whose manifest has no Secrets",
    "dev.spawn --timeline spawn.png": "--timeline spawn.png: must end with .svg or .html",
    "dev.spawn --timeline nosuch/spawn.svg": "--timeline nosuch/spawn.svg: cannot be written",
    "dev.logs --tail few": "--tail few: must be a number of lines",
    "dev.logs --since yesterday": "--since yesterday: neither a duration nor a time",
    "dev.logs --grep (": "--grep (: missing ), unterminated subpattern",
}
"""Command lines that invoke accepts, and hubpod's error message for each."""


def test_a_wrong_command_line_is_reported(project: Path, tmp_path: Path) -> None:
    """The error quotes what was typed, the exit code is 2, and nothing is changed."""
    lines = json.dumps([line.split() for line in MISTYPED])

    codes = run_program(
        project, [sys.executable, "-c", RUN_IN_SEQUENCE, lines, str(tmp_path), " ".join(COMMAND_IMPORTS)]
    ).stdout.split()

    for number, (line, code, message) in enumerate(zip(MISTYPED, codes, MISTYPED.values(), strict=True)):
        printed = (tmp_path / f"{number}.err").read_text()
        assert code == "2", (line, printed)
        assert printed.startswith(f"✗ {message}")
        assert "Traceback" not in printed
        assert not (tmp_path / f"{number}.out").read_text()
    assert not (project / ".hubpod").exists()


@pytest.mark.parametrize("variable", ["HUBPOD_ENVIRONMENT", "HUBPOD_INSTANCE"])
def test_a_wrong_variable_is_reported(project: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A wrong name that was not typed is traced to its variable in the remedy."""
    monkeypatch.setenv(variable, "No_Such")

    result = run_task(project, "dev.down")

    assert result.returncode == 2
    assert "'No_Such'" in result.stderr
    assert f"→ it comes from the variable {variable}; " in result.stderr


def test_an_unusable_directory_is_reported(project: Path) -> None:
    """An error of the system is reported with the unchanged path, and the exit code is 4."""
    (project / ".hubpod").write_text("not a directory")

    result = run_task(project, "dev.clone")

    assert result.returncode == 4
    assert f"{project / '.hubpod'}/" in result.stderr
    assert "Not a directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unexpected_error_is_one_line_without_debug(project: Path) -> None:
    """The message names the kind of error and --debug, which shows the traceback."""
    (stand_ins(project) / "ps.json").write_text("no JSON")

    brief, whole = run_task(project, "dev.status"), run_task(project, "--debug", "dev.status")

    assert brief.returncode == whole.returncode == 1
    first, second = brief.stderr.splitlines()
    assert first.startswith("✗ unexpected error: JSONDecodeError: Expecting value")
    assert second == "→ run again with --debug"
    assert "Traceback" in whole.stderr


def test_an_encoding_without_symbols_gets_ascii_marks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command fails because its output cannot be encoded."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")

    result = run_task(project, "dev.down", "-i", "日本")

    assert result.returncode == 2
    assert result.stderr.startswith("!! '??' is not an instance name")
    assert "\n-> use " in result.stderr


def test_the_status_of_a_missing_instance_is_one_line(project: Path) -> None:
    """Without containers only the state is printed, without trailing whitespace."""
    result = run_task(project, "dev.status")

    assert result.stdout == "dev_dummyauth, instance default: down\n", result.stderr


def test_the_status_is_not_truncated_in_a_pipe(project: Path) -> None:
    """Outside a terminal every container has one line of any length, with aligned columns."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("jupyterhub"), row("slurm")]))

    lines = run_task(project, "dev.status").stdout.splitlines()

    assert lines[1:] == [
        "container   state   ready  since  image",
        f"jupyterhub  exited  no            {IMAGE}",
        f"slurm       exited  no            {IMAGE}",
    ]


@pytest.mark.parametrize("line", ["dev.status", "dev.volumes list"])
def test_json_is_alone_on_standard_output(project: Path, line: str) -> None:
    """The instance is named on standard error, so that a program can read standard output."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))

    result = run_task(project, *line.split(), "--json")

    assert isinstance(json.loads(result.stdout), dict | list)
    assert result.stderr.startswith("dev_dummyauth, instance default\n")


def test_the_welcome_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, up prints the address and the users, and no password."""
    made = site(find_environment("dev_dummyauth"))

    output.show_welcome(made, json=True)

    printed = capsys.readouterr().out
    assert json.loads(printed)["url"] == f"http://127.0.0.1:{made.port}/jupyter"
    assert json.loads(printed)["users"][0] == "testuser"
    assert made.settings.dummy_auth_password not in printed


def test_findings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, doctor and check print each finding with its verdict and remedy."""
    output.show_findings([Finding(check="git", verdict=Verdict.BAD, text="is missing", remedy="install it")], json=True)

    assert json.loads(capsys.readouterr().out) == [
        {"check": "git", "verdict": "bad", "text": "is missing", "remedy": "install it"}
    ]


def test_ctrl_c_that_ends_a_command_is_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends dev.watch without a mark of failure, and with its usual exit code."""
    with pytest.raises(SystemExit) as caught, reporting.reporting_errors("no longer watching", is_end=True):
        raise KeyboardInterrupt

    assert caught.value.code == 130
    assert capsys.readouterr().err == "no longer watching\n"


@pytest.fixture
def following(project: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command that follows the logs, in its own process group."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))
    with follow(project) as process:
        yield process
        process.kill()


def follow(project: Path, *prefix: str) -> subprocess.Popen[str]:
    """Start a command that follows the logs, and wait until podman runs."""
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
    """Return whether the stand-in for podman still runs."""
    return Path(f"/proc/{(stand_ins(project) / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_sigterm_and_sighup_stop_podman_as_well(
    project: Path, following: subprocess.Popen[str], number: int, code: int
) -> None:
    """Signals that only invoke receives also stop the podman that follows the logs."""
    following.send_signal(number)
    _, printed = following.communicate(timeout=TOO_LONG_S)

    assert (following.returncode, printed) == (code, "dev_dummyauth, instance default\n✗ interrupted\n")
    assert not podman_runs(project)


def test_ctrl_c_exits_with_130(project: Path, following: subprocess.Popen[str]) -> None:
    """Ctrl-C in a terminal reaches podman directly, and the command exits as interrupted."""
    os.killpg(following.pid, signal.SIGINT)
    _, printed = following.communicate(timeout=TOO_LONG_S)

    assert (following.returncode, printed) == (130, "dev_dummyauth, instance default\ninterrupted\n")
    assert not podman_runs(project)


def test_an_ignored_signal_stays_ignored(project: Path) -> None:
    """A command below nohup survives SIGHUP, and SIGTERM still stops it."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm")]))
    with follow(project, "sh", "-c", 'trap "" HUP; exec "$@"', "sh") as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TOO_LONG_S)

    assert process.returncode == 143
    assert not podman_runs(project)


def test_exec_returns_the_exit_code(project: Path) -> None:
    """dev.exec exits with the code of the command in the container."""
    (stand_ins(project) / "ps.json").write_text(json.dumps([row("slurm", "running")]))

    assert run_task(project, "dev.exec", "slurm", "--", "false").returncode == 7


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
def test_every_error_is_reported(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of error has a message and an exit code."""
    with pytest.raises(SystemExit) as caught, reporting.reporting_errors("why"):
        raise error

    assert caught.value.code == code
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    ("keep", "message"), [(False, "nothing incomplete is left"), (True, "what was started is kept")]
)
def test_an_interrupted_up_reports_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, keep: bool, message: str
) -> None:
    """With --keep the message says that nothing is cleaned up."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hubpod.cli.console.verbose_context", interrupted)

    with pytest.raises(SystemExit) as caught:
        dev.up(environment="dev_dummyauth", instance="default", keep=keep)

    assert caught.value.code == 130
    assert message in capsys.readouterr().err


def test_an_option_overrides_the_variable_in_the_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that the command line overrides is not named."""
    monkeypatch.setenv("HUBPOD_INSTANCE", "mine")

    with pytest.raises(SystemExit):
        dev.down(environment="dev_dummyauth", instance="Yours")

    printed = capsys.readouterr().err
    assert "'Yours'" in printed
    assert "HUBPOD" not in printed


@pytest.mark.parametrize(
    ("commands", "name"),
    [
        (commands, name)
        for commands in ENVIRONMENT_OF
        for name in sorted(namespace.collections[commands].tasks.keys() - {"list", "prune"})
    ],
)
def test_every_command_takes_environment_and_instance(
    commands: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both options exist for every command on one instance, and a wrong name is reported before podman is queried."""
    monkeypatch.setenv("PATH", "/nowhere")
    task = namespace.collections[commands].tasks[name]
    words = {"exec": {"container": "slurm"}, "volumes": {"action": "list"}}.get(name, {})

    with pytest.raises(SystemExit) as caught:
        task.body(None, environment=ENVIRONMENT_OF[commands], instance="Mine", **words)

    assert {"e", "i"} <= {each for argument in task.get_arguments() for each in argument.names}
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("✗ 'Mine' is not an instance name; did you mean 'mine'?\n")


@pytest.mark.parametrize(
    ("commands", "name"),
    [
        (commands, name)
        for commands in ENVIRONMENT_OF
        for name in sorted(namespace.collections[commands].tasks.keys() - {"list", "prune", "status", "clone"})
    ],
)
def test_every_command_names_the_instance_first(
    commands: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line on standard error has environment and instance, even if the machine has no podman."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    task = namespace.collections[commands].tasks[name]
    words = {"exec": {"container": "slurm"}, "volumes": {"action": "list"}}.get(name, {})

    with pytest.raises(SystemExit):
        task.body(None, environment=ENVIRONMENT_OF[commands], instance="mine", **words)

    assert capsys.readouterr().err.startswith(f"{ENVIRONMENT_OF[commands]}, instance mine\n")


def test_a_token_login_requires_a_token(project: Path) -> None:
    """For an environment with a token login, dev.spawn names the option for the token."""
    result = run_task(project, "dev.spawn", "--environment=dev_realauth")

    assert result.returncode == 2
    assert "users log in to dev_realauth with a token" in result.stderr
    assert "--token-file FILE" in result.stderr


def test_a_form_login_refuses_a_token(project: Path, tmp_path: Path) -> None:
    """For an environment with a login form, a token is refused instead of ignored."""
    (tmp_path / "token").write_text("eyJ.eyJ.x\n")

    result = run_task(project, "dev.spawn", f"--token-file={tmp_path / 'token'}")

    assert result.returncode == 2
    assert "leave out --token-file" in result.stderr


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), ("", "holds 0 words"), ("a b", "holds 2 words")]
)
def test_a_file_without_one_token_is_refused(project: Path, tmp_path: Path, content: str | None, says: str) -> None:
    """A missing file, or one with other content, is named, and its content is not printed."""
    if content is not None:
        (tmp_path / "token").write_text(content)

    result = run_task(project, "dev.spawn", "--environment=dev_realauth", f"--token-file={tmp_path / 'token'}")

    assert result.returncode == 2
    assert says in result.stderr
    assert str(tmp_path / "token") in result.stderr


def test_declaring_the_tasks_imports_nothing_slow() -> None:
    """Lists, help texts and mistyped commands need only the declarations."""
    names = "import sys, hubpod_tasks.program; print(*sys.modules)"

    modules = set(
        subprocess.run([sys.executable, "-c", names], check=True, capture_output=True).stdout.decode().split()
    )

    assert not modules & SLOW_IMPORTS


@pytest.mark.parametrize("enabled", [True, False])
def test_bytecode_is_written(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, enabled: bool) -> None:
    """The next command does not compile hubpod again, unless Python must not write bytecode."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "" if enabled else "1")

    run_task(project, "dev.status")

    assert {path.stem.partition(".")[0] for path in (tmp_path / "bytecode").rglob("*.pyc")} >= (
        {"dev", "cli", "status"} if enabled else set()
    )
    assert enabled == (tmp_path / "bytecode").exists()
