"""Completion in shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.parser.context import ParserContext

from hubpod.workspace import Workspace
from hubpod_tasks import completion
from hubpod_tasks.completion import SHELLS, complete, read_script
from hubpod_tasks.program import make_program
from hubpod_tasks.table import namespace
from support.instances import PROJECT


@pytest.fixture(scope="module")
def tasks() -> dict[str, ParserContext]:
    """Return the commands with their options."""
    return {str(context.name): context for context in namespace.to_contexts()}


FIRST = make_program(namespace).initial_context


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("dev.sp", ["dev.spawn"]),
        ("dev.up --env", ["--environment"]),
        ("dev.up -e dev_realauth_", ["dev_realauth_zenithclient"]),
        ("dev.up --environment=pr", ["prod"]),
        ("dev.up --environment = pr", ["prod"]),
        ("-e pro", ["prod"]),
        ("dev.up -i n", ["new1", "new2"]),
        ("dev.logs --container j", ["jupyterhub"]),
        ("dev.exec sl", ["slurm"]),
        ("dev.exec slurm dev.sp", ["dev.spawn"]),
        ("dev.volumes e", ["export"]),
        ("dev.up --base re", ["registry"]),
        ("dev.manifest --target k", ["kubernetes"]),
        ("dev.up --source bri", ["bricsauthenticator="]),
        ("--help prod.sy", ["prod.systemd"]),
        ("--print-completion-script f", ["fish"]),
        ("dev.up --json dev.st", ["dev.status"]),
        ("dev.up --deploy-dir si", []),
        ("dev.up --nosuch=x", []),
    ],
)
def test_the_last_word_is_completed(
    tasks: dict[str, ParserContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, found: list[str]
) -> None:
    """Commands, options, environments, instances, containers and other values with a name are offered."""
    for name in ("new1", "new2", "other"):
        (tmp_path / ".hubpod" / "dev_dummyauth" / name).mkdir(parents=True)
    monkeypatch.setattr(completion, "WORKSPACE", Workspace(project=tmp_path))
    (tmp_path / "packages" / "bricsauthenticator").mkdir(parents=True)

    assert complete(line.split(" "), FIRST, tasks) == found


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    """The script names every program that runs the commands, and how to turn it on."""
    script = read_script(shell)

    assert {"invoke", "inv", "hubpod", "run"} <= set(script.split())
    assert f"--print-completion-script={shell}" in script.splitlines()[0]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Make the programs `run` and `hubpod` that start the commands of this checkout."""
    paths = os.pathsep.join(map(str, (PROJECT, PROJECT / "harness")))
    for name, skipped in (("hubpod", ""), ("run", "shift; ")):
        script = f'#!/bin/sh\n{skipped}PYTHONPATH={paths} exec {sys.executable} -m hubpod_tasks "$@"\n'
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    return tmp_path


BASH = """\
eval "$(./run invoke --print-completion-script=bash)"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_hubpod_complete x "${{COMP_WORDS[COMP_CWORD]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("./run i", "invoke"),
        ("./run invoke dev.sp", "dev.spawn"),
        ("./run invoke dev.exec sl", "slurm"),
        ("./run invoke dev.up --environment = pr", "prod"),
        ("./hubpod dev.up -e pr", "prod"),
        ("./run nox x", ""),
    ],
)
def test_bash_completes_run_and_hubpod(programs: Path, words: str, found: str) -> None:
    """The script works with bash's own variables, for ./run as well."""
    bash = shutil.which("bash")
    assert bash

    result = subprocess.run(
        [bash, "-c", BASH.format(words=words)], cwd=programs, capture_output=True, text=True, check=True
    )

    assert result.stdout.split() == found.split()
    assert result.stderr == ""


def test_an_unknown_shell_is_refused(programs: Path) -> None:
    """The nearest one is suggested."""
    result = subprocess.run(
        [programs / "hubpod", "--print-completion-script=zhs"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert "completion for zhs: must be one of bash, zsh, fish; did you mean 'zsh'?" in result.stderr
