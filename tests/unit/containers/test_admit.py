"""hubpod-admit: the hosts that may connect to the SSH server of Slurm's pod."""

import subprocess
from pathlib import Path

import pytest

from support.instances import PROJECT

ADMIT = PROJECT / "containers" / "slurm" / "bin" / "hubpod-admit"
HUB, OWN, OTHER = "10.89.0.7", "10.89.0.8", "10.89.0.9"
ANSWERS = f"#!/bin/sh\necho '{HUB}      STREAM hub'\n"
SILENT = "#!/bin/sh\nexec sleep 60\n"
UNKNOWN = "#!/bin/sh\nexit 2\n"


def admits(tmp_path: Path, address: str, *, name_service: str = ANSWERS, clients: str = "hub\n") -> bool:
    """Return whether the program admits an address. It ends its parent, the connection, otherwise."""
    for name, script in {"getent": name_service, "hostname": f"#!/bin/sh\necho '{OWN} fe80::1'\n"}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "clients").write_text(clients)
    command = f"{ADMIT} {address} {tmp_path}/clients && echo admitted"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout or done.returncode < 0, done.stderr
    return done.stdout == "admitted\n"


def test_the_hub_is_admitted_and_no_other_host(tmp_path: Path) -> None:
    """The name of the hub is resolved for each other address."""
    assert admits(tmp_path, HUB)
    assert not admits(tmp_path, OTHER)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "fe80::1", OWN])
@pytest.mark.parametrize("name_service", [ANSWERS, SILENT, UNKNOWN])
def test_jobs_are_refused_without_a_name_service(tmp_path: Path, address: str, name_service: str) -> None:
    """They share the network of the SSH server, so that they connect from its own addresses."""
    assert not admits(tmp_path, address, name_service=name_service)


def test_a_silent_name_service_keeps_no_hub_out(tmp_path: Path) -> None:
    """The one of podman waits for the machine's own, whose answer may take half a minute."""
    assert admits(tmp_path, HUB, name_service=SILENT)
    assert not admits(tmp_path, HUB, name_service=UNKNOWN)


def test_any_host_may_be_a_client(tmp_path: Path) -> None:
    """Tests reach an external Slurm host through published ports."""
    assert admits(tmp_path, "127.0.0.1", clients="*\n", name_service=UNKNOWN)
