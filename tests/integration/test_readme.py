"""The commands of the README and of docs/commands.md."""

import os
import re
import secrets
import subprocess

import pytest

from support.instances import COMMAND_TIMEOUT_S, PROJECT


def commands_of(page: str) -> list[str]:
    """Return the commands that a page shows."""
    return re.findall(r"^\$ (.+)$", (PROJECT / page).read_text(), flags=re.MULTILINE)


COMMANDS = commands_of("README.md")
# The command runs this test as well; .ci/run covers the command.
RUNS_THE_TESTS = "./run nox -t all"


def test_the_commands_of_the_readme_succeed_in_order() -> None:
    """Running the README from top to bottom gives no error."""
    assert RUNS_THE_TESTS in COMMANDS
    env = {**os.environ, "HUBPOD_INSTANCE": f"it-{secrets.token_hex(4)}"}
    try:
        for command in COMMANDS:
            if command != RUNS_THE_TESTS:
                run_line(command, env)
    finally:
        run_line("./run invoke dev.down --volumes", env)


def test_the_commands_of_the_page_about_commands_succeed_in_order() -> None:
    """Running docs/commands.md from top to bottom gives no error."""
    name = f"it-{secrets.token_hex(4)}"
    try:
        for command in commands_of("docs/commands.md"):
            run_line(command.replace("-i mine", f"-i {name}"), dict(os.environ))
    finally:
        run_line(f"./run invoke dev.down --volumes -i {name}", dict(os.environ))


def run_line(command: str, env: dict[str, str]) -> None:
    """Run a line in the project's directory with a shell."""
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=PROJECT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if result.returncode:
        pytest.fail(f"{command}\n{result.stdout}\n{result.stderr}")
