"""The forced command of SSH logins, with another program in place of sudo."""

import string
import subprocess
from pathlib import Path

import pytest

from hubpod.settings import checks

GATE = Path(__file__).parents[3] / "containers/slurm/bin/hubpod-ssh-command"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The gate, whose sudo prints its arguments."""
    copy = tmp_path / "gate"
    copy.write_text(GATE.read_text().replace("exec /usr/bin/sudo ", "exec printf '%s\\n' "))
    return copy


def admits(gate: Path, path: str) -> bool:
    """Check whether the gate passes a wrapper's path on to sudo unchanged."""
    command = f"sudo -n -u kim.project1 {path}/slurmspawner_sbatch"
    answer = subprocess.run(
        ["/bin/sh", gate], env={"SSH_ORIGINAL_COMMAND": command}, capture_output=True, text=True, check=False
    )
    return answer.returncode == 0 and answer.stdout.splitlines()[-1:] == [f"{path}/slurmspawner_sbatch"]


def test_the_gate_admits_every_path_that_the_settings_accept(gate: Path) -> None:
    """A character that the settings accept in a path passes the gate, and one that they refuse need not."""
    accepted = "".join(each for each in string.printable if not checks.path(f"/opt/{each}x"))

    assert set(string.ascii_letters + string.digits + "._+@-") <= set(accepted)
    assert admits(gate, f"/opt/{accepted.replace('/', '')}/bin")


@pytest.mark.parametrize(
    "path", ["/opt/$(id)", "/opt/`id`", "/opt/a;id", "/opt/a|id", "/opt/a&", "/opt/'a", "/opt/a\nb"]
)
def test_the_gate_refuses_what_a_shell_would_interpret(gate: Path, path: str) -> None:
    """Neither the settings nor the gate accept such a path."""
    assert checks.path(path)
    assert not admits(gate, path)
