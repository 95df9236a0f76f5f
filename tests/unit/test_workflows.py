"""The permissions, pins and scripts of the workflow and the action."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hubpod.system.process import run

PROJECT = Path(__file__).parents[2]
ACTION = PROJECT / "action.yml"
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
FILES = [ACTION, *WORKFLOWS]
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$")
TWO = ("-n", "2", "--dist", "loadgroup")
FROM_OUTSIDE = re.compile(r"\$\{\{[^}]*\b(?:inputs|github\.(?:event|head_ref|ref)|matrix)\b")


def load(path: Path) -> dict[Any, Any]:
    """Load a YAML file."""
    content = yaml.safe_load(path.read_text())
    assert isinstance(content, dict)
    return content


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield all steps of a workflow or an action."""
    content = load(path)
    jobs = content.get("jobs", {"": content.get("runs")})
    for job in jobs.values():
        yield from job["steps"]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_actions_are_pinned(path: Path) -> None:
    """Third-party actions are pinned to the hash of a commit, with the version beside it."""
    used = [line.partition("uses:")[2].strip() for line in path.read_text().splitlines() if "uses:" in line]

    assert len(used) == sum("uses" in step for step in steps(path))
    assert [line for line in used if not PINNED.match(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=str)
def test_workflows_only_read(path: Path) -> None:
    """The token only reads the code, a checkout stores no token, and every job has a timeout."""
    content = load(path)

    assert content["permissions"] == {"contents": "read"}
    assert content["concurrency"]
    assert "pull_request_target" not in content[True]  # YAML 1.1 reads the key `on` as a truth value
    for job in content["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
    for step in steps(path):
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", FILES, ids=str)
def test_scripts_contain_no_untrusted_values(path: Path) -> None:
    """Inputs and events reach scripts as variables only."""
    assert [step["run"] for step in steps(path) if FROM_OUTSIDE.search(step.get("run", ""))] == []


def test_every_input_of_the_action_is_used() -> None:
    """Every declared input reaches the script, the script uses no other, and all are optional."""
    declared = load(ACTION)["inputs"]
    (script,) = [step for step in steps(ACTION) if "run" in step]

    assert script["env"] == {name.upper(): f"${{{{ inputs.{name} }}}}" for name in declared}
    assert all(f"${name}" in script["run"] for name in script["env"])
    assert all(each["default"] == "" and each["description"] for each in declared.values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [*TWO, "harness/suite"]),
        ({"BRICSAUTHENTICATOR": "a b"}, [*TWO, "--hubpod-source", "bricsauthenticator={folder}/a b", "harness/suite"]),
        ({"SLURMSPAWNER_WRAPPERS": "."}, [*TWO, "--hubpod-source", "slurmspawner_wrappers={folder}", "harness/suite"]),
        ({"TESTS": "tests/one\ntests/two $(id)\n"}, ["{folder}/tests/one", "{folder}/tests/two $(id)"]),
        ({"ARGUMENTS": "-k\nlogin and not edge"}, [*TWO, "-k", "login and not edge", "harness/suite"]),
    ],
)
def test_the_action_passes_its_inputs_to_run(tmp_path: Path, given: dict[str, str], expected: list[str]) -> None:
    """The action calls ./run with absolute paths and executes no part of an input.

    Inputs are one word a line.
    """
    (script,) = [step["run"] for step in steps(ACTION) if "run" in step]
    stand_in = tmp_path / "run"
    stand_in.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    stand_in.chmod(stat.S_IRWXU)
    inputs = dict.fromkeys(("BRICSAUTHENTICATOR", "SLURMSPAWNER_WRAPPERS", "TESTS", "ARGUMENTS"), "")
    env = {**os.environ, **inputs, **given, "GITHUB_ACTION_PATH": str(tmp_path), "GITHUB_WORKSPACE": str(tmp_path)}
    (tmp_path / "a b").mkdir()

    words = run(["bash", "-euo", "pipefail", "-c", script], env=env, cwd=tmp_path).stdout.splitlines()

    assert words[:4] == ["nox", "-s", "integration", "--"]
    own = [word for word in words[4:] if not word.startswith(("--hubpod-artifacts=", "--junit-xml="))]
    assert own == [word.format(folder=tmp_path) for word in expected]
