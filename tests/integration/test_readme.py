"""Every command of the README does what it says."""

import os
import re
import secrets
import subprocess

import pytest

from support.instances import COMMAND_TIMEOUT_S, PROJECT

COMMANDS = re.findall(r"^\$ (.+)$", (PROJECT / "README.md").read_text(), flags=re.MULTILINE)
# This test is one of those that the command runs; .ci/run types it.
RUNS_THE_TESTS = "./run nox -t all"


def test_the_commands_of_the_readme_work_in_their_order() -> None:
    """A newcomer who types the README from top to bottom sees no error."""
    assert RUNS_THE_TESTS in COMMANDS
    env = {**os.environ, "HUBPOD_INSTANCE": f"it-{secrets.token_hex(4)}"}
    try:
        for command in COMMANDS:
            if command != RUNS_THE_TESTS:
                type_(command, env)
    finally:
        type_("./run invoke dev.down --volumes", env)


def type_(command: str, env: dict[str, str]) -> None:
    """Type a line in the project's folder, with a shell as a person has it."""
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
