"""Command lines as they are typed: several commands, mistakes, and options of invoke that would have no effect."""

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection

from hubpod.cli.options import SHORT_NAMES
from hubpod_tasks.program import HubpodProgram, make_program
from hubpod_tasks.table import DEV, PROD, make_collection, make_task, namespace
from support.instances import PROJECT

Run = Callable[..., list[tuple[str, dict[str, Any]]]]

GROUPS = {"dev": DEV, "prod": PROD}
COMMANDS = [(name, command) for declared in GROUPS.values() for name, command in declared.items()]
ARGUMENTS = [argument for name, command in COMMANDS for argument in make_task(name, command).get_arguments()]


def recording(name: str, like: Any, calls: list[tuple[str, dict[str, Any]]]) -> Any:
    """Return a command with the options of another one that records its call."""

    def command(**options: Any) -> None:
        calls.append((name, options))

    command.__signature__ = inspect.signature(like)  # type: ignore[attr-defined] # inspect.signature() reads it
    command.__doc__ = like.__doc__
    return command


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Parse a command line with all of hubpod's options, and return which commands it calls with what."""
    monkeypatch.setattr("hubpod.cli.reporting.INTERRUPTS", ())  # pytest's own

    def run_line(line: str) -> list[tuple[str, dict[str, Any]]]:
        calls: list[tuple[str, dict[str, Any]]] = []
        groups = []
        for group, declared in GROUPS.items():
            commands = {name: recording(f"{group}.{name}", command, calls) for name, command in declared.items()}
            groups.append(make_collection(group, commands))
        HubpodProgram(namespace=Collection(*groups), binary="invoke").run(["invoke", *line.split()])
        return calls

    return run_line


def chosen(calls: list[tuple[str, dict[str, Any]]], *options: str) -> list[tuple[str, ...]]:
    """Return each call with the values of some options."""
    return [(name, *(str(given.get(option)) for option in options)) for name, given in calls]


@pytest.mark.parametrize(
    "line",
    [
        "dev.up -i new2 dev.spawn",
        "dev.up dev.spawn -i new2",
        "dev.up --instance=new2 dev.spawn",
        "dev.up -inew2 dev.spawn",
        "-i new2 dev.up dev.spawn",
        "dev.up -i new2 dev.spawn --instance new2",
    ],
)
def test_an_instance_given_once_holds_for_the_whole_line(run: Run, line: str) -> None:
    """Wherever it is given, no command of the line works on another instance."""
    assert chosen(run(line), "instance") == [("dev.up", "new2"), ("dev.spawn", "new2")]


def test_options_of_a_deployment_reach_every_command_that_has_them(run: Run) -> None:
    """A second command does not work with other sources, settings or addresses than the first."""
    calls = run("prod.check -i a --deploy-dir site --source x=/y --source z=/w --port 8404 prod.up prod.status --json")

    assert chosen(calls[:2], "instance", "deploy_dir", "source", "port") == [
        ("prod.check", "a", "site", "['x=/y', 'z=/w']", "8404"),
        ("prod.up", "a", "site", "['x=/y', 'z=/w']", "8404"),
    ]
    assert chosen(calls[2:], "instance", "json") == [("prod.status", "a", "True")]


def test_two_instances_on_one_line_each_have_their_own_options(run: Run) -> None:
    """Options stay with the instance that they are given for."""
    calls = run("dev.up -i a --port 8404 dev.up -i b")

    assert chosen(calls, "instance", "port") == [("dev.up", "a", "8404"), ("dev.up", "b", "None")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("dev.up -i a dev.up -i b dev.spawn", "dev.spawn: this line names the instances a and b"),
        ("-i a dev.up -i b dev.spawn", "dev.spawn: this line names the instances a and b"),
        ("dev.up -e dev_realauth dev.down -e dev_dummyauth dev.up", "dev.up: this line names the environments"),
        ("dev.up --port 1 dev.up --port 2 dev.manifest", "dev.manifest: this line gives --port with different values"),
    ],
)
def test_an_ambiguous_line_is_refused(run: Run, capsys: pytest.CaptureFixture[str], line: str, problem: str) -> None:
    """A line with two targets runs nothing unless every command names its own."""
    with pytest.raises(SystemExit) as caught:
        run(line)

    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


MISTYPED = {
    "dev.upp": "there is no command 'dev.upp'; did you mean 'dev.up'?",
    "up": "there is no command 'up'; did you mean 'dev.up'?",
    "Dev.Up": "there is no command 'Dev.Up'; did you mean 'dev.up'?",
    "dev:spawn": "there is no command 'dev:spawn'; did you mean 'dev.spawn'?",
    "dev-status": "there is no command 'dev-status'; did you mean 'dev.status'?",
    "prod.upgarde": "there is no command 'prod.upgarde'; did you mean 'prod.upgrade'?",
    "dev.up dev.swpan": "there is no command 'dev.swpan'; did you mean 'dev.spawn'?",
    "dev.up --instnace x": "dev.up has no option --instnace; did you mean '--instance'?",
    "dev.up --instnace=x": "dev.up has no option --instnace; did you mean '--instance'?",
    "dev.up --deploy_dir=x": "dev.up has no option --deploy_dir; did you mean '--deploy-dir'?",
    "dev.down --json": "dev.down has no option --json",
    "dev.up -x": "dev.up has no option -x",
    "--enviroment x dev.up": "invoke has no option --enviroment; did you mean '--environment'?",
    "dev.up --port": "dev.up: --port needs a value",
    "dev.exec": "dev.exec: container is missing",
    "dev.exec slurm sinfo": "there is no command 'sinfo'",
    "dev.status -- --json": "the words after the two hyphens have no meaning: --json",
    "--help dev.stats": "there is no command 'dev.stats'; did you mean 'dev.status'?",
    "--list dve": "there is no group of commands 'dve'; did you mean 'dev'?",
    "--list --list-format=jsno": "--list-format jsno: must be one of flat, nested, json; did you mean 'json'?",
    "--list --list-depth=x": "invalid literal for int()",
}


@pytest.mark.parametrize("line", MISTYPED)
def test_a_mistyped_word_gets_the_nearest_one(run: Run, capsys: pytest.CaptureFixture[str], line: str) -> None:
    """The exit code is 2, nothing runs, and the remedy names where to look."""
    with pytest.raises(SystemExit) as caught:
        run(line)

    printed = capsys.readouterr().err
    assert caught.value.code == 2
    assert printed.startswith(f"✗ {MISTYPED[line]}")
    assert "→" in printed or "must be one of" in printed
    assert "Traceback" not in printed


REFUSED = (
    *("--echo", "--pty", "--warn-only", "--hide=both", "--prompt-for-sudo-password", "--command-timeout=3"),
    *("--write-pyc", "--no-dedupe", "--config=x", "--collection=tasks"),
)


@pytest.mark.parametrize("option", REFUSED)
@pytest.mark.parametrize("line", ["{} dev.down", "dev.down {}"])
def test_an_option_of_invoke_without_effect_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str], option: str, line: str
) -> None:
    """It would promise what hubpod's commands do not do."""
    with pytest.raises(SystemExit) as caught:
        run(line.format(option))

    assert caught.value.code == 2
    assert f"{option.partition('=')[0]} of invoke has no effect" in capsys.readouterr().err


def test_help_does_not_offer_refused_options(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """The list of options has only those that work."""
    with pytest.raises(SystemExit) as caught:
        run("--help")

    printed = capsys.readouterr().out
    assert not caught.value.code
    assert "--dry" in printed
    assert not [option for option in REFUSED if option.partition("=")[0] in printed]


def test_dry_reaches_every_command_of_the_line(run: Run) -> None:
    """Nothing of a line runs while another part of it is only planned."""
    for line in ("--dry dev.up dev.down", "dev.up --dry dev.down", "dev.up dev.down --dry", "-R dev.up dev.down"):
        assert chosen(run(line), "dry") == [("dev.up", "True"), ("dev.down", "True")]


@pytest.mark.parametrize("name", ["dev.status", "dev.spawn", "dev.logs", "prod.check", "dev.watch"])
def test_dry_is_refused_where_it_has_no_meaning(run: Run, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A line with such a command runs nothing."""
    with pytest.raises(SystemExit) as caught:
        run(f"--dry dev.down {name}")

    assert caught.value.code == 2
    assert f"{name} has no plan to print, so that --dry has no meaning for it" in capsys.readouterr().err


def test_every_command_that_changes_something_has_a_plan() -> None:
    """A new command either has --dry or is named here."""
    without = {name for name, command in COMMANDS if "dry" not in inspect.signature(command).parameters}

    assert without == {
        *(
            "attack",
            "check",
            "doctor",
            "exec",
            "list",
            "logs",
            "manifest",
            "open",
            "spawn",
            "status",
            "systemd",
            "watch",
        ),
    }


def test_a_letter_means_the_same_in_every_command() -> None:
    """-u is the user and nothing else, and no letter has two meanings."""
    meanings = {(letter, argument.name) for argument in ARGUMENTS for letter in argument.names if len(letter) == 1}

    assert dict(meanings) == {letter: name for name, letter in SHORT_NAMES.items()}
    assert len(dict(meanings)) == len(meanings)


def started(argv: list[str], cwd: Path, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory."""
    paths = os.pathsep.join(map(str, (PROJECT, PROJECT / "harness")))
    env = {**os.environ, "PYTHONPATH": paths, **(variables or {})}
    return subprocess.run([sys.executable, *argv], cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("argv", "variables", "shown"),
    [
        (["-m", "hubpod_tasks", "dev.upp"], {"HUBPOD_LAUNCHER": "../run"}, "../run invoke --list"),
        (["-m", "invoke", "-r", str(PROJECT), "dev.upp"], {}, f"python -m invoke -r {PROJECT} --list"),
        (["-m", "invoke", f"--search-root={PROJECT}", "dev.upp"], {}, f"invoke --search-root={PROJECT} --list"),
    ],
)
def test_a_mistake_is_reported_from_any_directory(
    tmp_path: Path, argv: list[str], variables: dict[str, str], shown: str
) -> None:
    """The remedy is the command as it was started."""
    result = started(argv, tmp_path, variables)

    assert result.returncode == 2
    assert "did you mean 'dev.up'?" in result.stderr
    assert f"{shown}` lists the commands" in result.stderr


@pytest.fixture
def own_invoke(tmp_path: Path) -> Path:
    """Make hubpod's program under invoke's name, as in the environment of ./run."""
    program = tmp_path / "bin" / "invoke"
    program.parent.mkdir()
    program.write_text("from hubpod_tasks.__main__ import main\n\nmain()\n")
    return program


def test_invoke_works_where_there_are_no_tasks(tmp_path: Path, own_invoke: Path) -> None:
    """In an activated environment of ./run, the current directory does not matter."""
    result = started([str(own_invoke), "dev.upp"], tmp_path)

    assert result.returncode == 2
    assert "did you mean 'dev.up'?" in result.stderr


@pytest.mark.parametrize("below", [".", "deep/down"])
def test_invoke_runs_the_tasks_of_another_project(tmp_path: Path, own_invoke: Path, below: str) -> None:
    """Its own tasks.py takes precedence, also in a directory below it."""
    (tmp_path / "tasks.py").write_text("from invoke.tasks import task\n\n\n@task\ndef site_task(_):\n    pass\n")
    (tmp_path / below).mkdir(parents=True, exist_ok=True)

    listed = started([str(own_invoke), "--list"], tmp_path / below)
    elsewhere = started([str(own_invoke), "-r", str(tmp_path), "--list"], PROJECT)

    assert "site-task" in listed.stdout
    assert "site-task" in elsewhere.stdout


def test_relative_paths_count_from_the_current_directory(tmp_path: Path) -> None:
    """A path means what it means to the shell, wherever hubpod is and in every option."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "token").write_text("a b")
    nowhere = {"PATH": "/nowhere"}

    def messages(line: str) -> str:
        return started(["-m", "hubpod_tasks", *line.split()], tmp_path / "here", nowhere).stderr

    assert "--timeline nosuch/y.svg: cannot be written" in messages("dev.spawn --timeline nosuch/y.svg")
    assert "holds 2 words" in messages("dev.spawn --token-file token")
    assert "podman is not installed" in messages("dev.up --source bricsauthenticator=.")
    assert "podman is not installed" in messages("dev.up --deploy-dir ../here --source bricsauthenticator=../here")
    assert "is neither an existing directory" in messages("dev.up --source bricsauthenticator=hubpod")


def test_the_version_is_hubpods(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """--version names hubpod, not invoke."""
    with pytest.raises(SystemExit):
        run("--version")

    assert capsys.readouterr().out.startswith("hubpod ")


def test_the_usage_names_the_program_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A developer who uses ./run sees what to type."""
    monkeypatch.setenv("HUBPOD_LAUNCHER", "./run")
    monkeypatch.setattr("hubpod.cli.reporting.INTERRUPTS", ())

    with pytest.raises(SystemExit):
        make_program(namespace).run(["invoke", "--help", "dev.up"])

    assert capsys.readouterr().out.startswith("Usage: ./run invoke ")


def test_every_option_has_help() -> None:
    """The help of a command describes each of its options."""
    assert all(argument.help for argument in ARGUMENTS)


def test_ctrl_c_at_any_time_leaves_no_traceback(tmp_path: Path) -> None:
    """During the imports the process ends at once; later the command reports that it was interrupted."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (PROJECT, PROJECT / "harness")))}
    for word in ("inspect", "invoke", "hubpod.cli.dev", "rich"):
        # Python reports each import on standard error, which shows how far the process is.
        process = subprocess.Popen(
            [sys.executable, "-v", "-m", "hubpod_tasks", "dev.doctor"],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        begun = False
        for line in process.stderr:
            begun = begun or line.startswith("import 'hubpod_tasks'")
            if begun and re.match(rf"import '{re.escape(word)}'", line):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait() in {-signal.SIGINT, 130}, word
        assert "Traceback" not in rest, word
