"""Options of the plugin, as far as they need no podman."""

from pathlib import Path

import pytest

from support.runs import run_pytest

USAGE_ERROR = 4
TEST = """
import pytest

@pytest.mark.hubpod_login("dummy")
def test_with_a_form():
    pass

@pytest.mark.hubpod_login("JWT")
def test_with_a_token():
    pass

def test_with_any():
    pass
"""


@pytest.fixture
def tests(tmp_path: Path) -> str:
    """A directory with tests that need no stack."""
    (tmp_path / "test_ours.py").write_text(TEST)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--hubpod-environment=dev_relauth", "did you mean 'dev_realauth'?"),
        ("--hubpod-source=bricsauthenticater=.", "did you mean 'bricsauthenticator'?"),
        ("--hubpod-source=bricsauthenticator=/does/not/exist", "'/does/not/exist' is neither an existing directory"),
        ("--hubpod-podman=/does/not/exist", "not an executable named podman"),
    ],
)
def test_a_wrong_option_is_one_sentence(tests: str, option: str, says: str) -> None:
    """A mistyped value ends the run with a usage error that explains it, without a traceback."""
    run = run_pytest(tests, option)

    assert run.code == USAGE_ERROR
    assert says in run.text
    assert "Traceback" not in run.text


@pytest.mark.parametrize(
    ("environment", "kept"), [("dev_dummyauth", "test_with_a_form"), ("dev_realauth", "test_with_a_token")]
)
def test_tests_of_another_login_are_deselected(tests: str, environment: str, kept: str) -> None:
    """A test for another login method is deselected, not skipped."""
    run = run_pytest(tests, "-v", f"--hubpod-environment={environment}")

    assert run.code == 0, run.text
    assert f"{kept} PASSED" in run.stdout
    assert "2 passed, 1 deselected" in run.stdout
