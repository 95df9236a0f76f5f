"""The harness's tests that `dev.watch --test` runs after each reload."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hubpod.cli import harness_tests
from hubpod.cli.harness_tests import find_python, pytest_command, require_tests
from hubpod.environments import find_environment
from hubpod.errors import MachineError, UsageError
from hubpod.instances import Instance
from hubpod.request import UpRequest
from hubpod.sources.origins import Origin
from hubpod.system import process
from support.sites import PROJECT

INSTANCE = Instance(environment=find_environment("dev_dummyauth"), name="default")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(5, "--test x: no test of harness/suite for dev_dummyauth matches"), (4, "--test x: Wrong expression passed")],
)
def test_an_expression_that_selects_nothing_is_refused(status: int, sentence: str) -> None:
    """Pytest's own message is quoted once, before anything is reloaded."""
    command = ("sh", "-c", f"echo; echo \"ERROR: Wrong expression passed to '-k': x\" >&2; exit {status}")

    with pytest.raises(UsageError) as caught:
        require_tests(command, "x", INSTANCE.environment)

    assert caught.value.message.startswith(sentence)


def test_tests_run_in_an_environment_that_has_their_dependencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run in the environment of a nox session, which is installed first.

    The environment of `./run` has no pytest. The installation may fail.
    """
    commands: list[Sequence[str]] = []

    def attach(words: Sequence[str]) -> int:
        commands.append(words)
        return len(commands) - 1

    monkeypatch.setattr(process, "attach", attach)
    assert find_python() == sys.executable
    monkeypatch.setattr(harness_tests, "find_spec", lambda _: None)

    assert find_python() == str(PROJECT / ".nox" / "integration" / "bin" / "python")
    assert commands[0][-3:] == ["-s", "integration", "--install-only"]
    with pytest.raises(MachineError, match="cannot install the virtual environment that --test needs"):
        find_python()


def test_tests_run_with_the_watched_sources(tmp_path: Path) -> None:
    """A directory used in place is tested as it is, and the other source as cloned."""
    request = UpRequest(instance=INSTANCE, origins={"bricsauthenticator": Origin(directory=tmp_path)})

    words = pytest_command(request, "login or spawn")

    assert f"--hubpod-source=bricsauthenticator={tmp_path}" in words
    assert any(word.startswith("--hubpod-source=slurmspawner_wrappers=") for word in words)
    assert words[words.index("-k") + 1] == "login or spawn"
    assert "--hubpod-environment=dev_dummyauth" in words
