"""The ssh of the Zenith client, with another program in place of ssh itself."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from support.sites import PROJECT

SSH = PROJECT / "volumes" / "zenith" / "ssh"
WAIT_S = 20
FAKE = f"""#!{sys.executable}
import json, os, sys, termios
local = termios.tcgetattr(0)[3]
echo = [name for name in ("ECHO", "ECHONL") if local & getattr(termios, name)]
print(json.dumps({{"argv": sys.argv[1:], "terminal": os.isatty(0), "echo": echo, "pid": os.getpid()}}), flush=True)
for line in sys.stdin:
    if line == "END\\n":
        break
    print("got", line, end="", flush=True)
sys.exit(7)
"""


@pytest.fixture
def ssh(tmp_path: Path) -> subprocess.Popen[str]:
    """The program, started as the client does."""
    (tmp_path / "ssh").write_text(FAKE)
    (tmp_path / "ssh").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    argv = [sys.executable, str(SSH), "-tt", "zenith@host"]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def test_the_terminal_of_ssh_has_no_echo(ssh: subprocess.Popen[str]) -> None:
    """Ssh gets its arguments and a terminal without echo, and is the process that the client has started."""
    out, err = ssh.communicate("END\n", timeout=WAIT_S)

    seen = json.loads(out.splitlines()[0])
    assert seen == {"argv": ["-tt", "zenith@host"], "terminal": True, "echo": [], "pid": ssh.pid}
    assert err == ""


def test_input_and_output_pass(ssh: subprocess.Popen[str]) -> None:
    """Lines reach ssh, nothing comes back but its own output, and its exit status is that of the program."""
    lines = ["A" * 76, "", "a secret"]
    out, _ = ssh.communicate("".join(f"{line}\n" for line in [*lines, "END"]), timeout=WAIT_S)

    assert out.splitlines()[1:] == [f"got {line}" for line in lines]
    assert ssh.returncode == 7


def test_no_process_stays_behind_ssh(ssh: subprocess.Popen[str]) -> None:
    """When ssh ends, the process that copies the input ends, too."""
    assert ssh.stdin is not None
    ssh.stdin.write("END\n")
    ssh.stdin.flush()
    ssh.wait(WAIT_S)

    with pytest.raises(BrokenPipeError):  # nothing reads the input any longer
        write_for_a_while(ssh.stdin.fileno())
    with suppress(BrokenPipeError):
        ssh.communicate()


def write_for_a_while(descriptor: int) -> None:
    """Write to a pipe until nothing reads it."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        os.write(descriptor, b"more\n")
        time.sleep(0.01)
