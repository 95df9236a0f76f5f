"""The facts that a job of an account would find, from a real process of the wrapper."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from slurmspawner_wrappers import checks
from slurmspawner_wrappers.checks import find_home_problem, find_wrapper_problem
from slurmspawner_wrappers.nodes import is_usable

IMPORT = f"import sys; sys.path.insert(0, {str(Path(checks.__file__).parents[1])!r}); import slurmspawner_wrappers as w"
Check = Callable[..., dict[str, Any]]
OLD_NS = 981173106_789000000
NEW_NS = 1000000000_000000000


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A directory of commands, with bash in it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "bash").symlink_to("/bin/bash")
    return directory


@pytest.fixture
def check(commands: Path, tmp_path: Path) -> Check:
    """Run the wrapper with a request, and return its facts."""

    def run(**request: object) -> dict[str, Any]:
        argv = str(tmp_path / "wrappers" / "slurmspawner_squeue")
        code = f"{IMPORT}; sys.argv = [{argv!r}]; w.squeue(search_path={str(commands)!r})"
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(request),
            env={"PATH": os.environ["PATH"], "SLURMSPAWNER_JOB_ID": "check"},
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts

    return run


def put(path: Path, text: str) -> None:
    """Write a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_answer_names_its_version_and_account(check: Check) -> None:
    """The hub recognizes an answer by its form, whatever else a host prints."""
    facts = check()

    assert facts["slurmspawner_checks"] == 1
    assert facts["account"]
    assert "home" not in facts


def test_a_missing_wrapper_is_a_problem(check: Check, tmp_path: Path) -> None:
    """All three are looked for beside the one that runs."""
    put(tmp_path / "wrappers" / "slurmspawner_squeue", "true")

    problems = check()["wrappers"]

    assert list(problems) == ["slurmspawner_sbatch", "slurmspawner_squeue", "slurmspawner_scancel"]
    assert problems["slurmspawner_scancel"] == "does not exist"


@pytest.mark.parametrize(
    ("mode", "owner", "problem"),
    [
        (0o755, 0, ""),
        (0o644, 0, "is not executable"),
        (0o775, 0, "can be changed by others than its owner"),
        (0o757, 0, "can be changed by others than its owner"),
        (0o755, 54321, "belongs to user id 54321 instead of root"),
    ],
)
def test_mode_and_owner_of_a_wrapper_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, problem: str
) -> None:
    """What sudo runs as any account belongs to root, and only root changes it."""
    put(tmp_path / "w", "true")
    (tmp_path / "w").chmod(mode)
    status = list((tmp_path / "w").stat())
    status[4] = owner
    monkeypatch.setattr(Path, "stat", lambda _: os.stat_result(status))

    assert find_wrapper_problem(tmp_path / "w") == problem


@pytest.mark.parametrize(
    ("activate", "problem"),
    [
        ("PATH=$(dirname $BASH_SOURCE)/../own:$PATH", ""),
        ("false; echo $UNSET; PATH=$(dirname $BASH_SOURCE)/../own:$PATH; false", ""),
        ("exit 1", "has no command server in jupyter-user-env"),
        ("", "has no command server in jupyter-user-env"),
    ],
)
def test_the_prefix_is_activated_as_by_a_job(
    check: Check, commands: Path, tmp_path: Path, activate: str, problem: str
) -> None:
    """The command of the server decides, not the status of a foreign script."""
    put(commands / "dirname", 'exec /usr/bin/dirname "$@"')
    put(tmp_path / "own" / "server", "true")
    put(tmp_path / "bin" / "activate", activate)

    assert check(prefix=str(tmp_path), command="server")["prefix"] == problem


def test_missing_directories_are_problems(check: Check, tmp_path: Path) -> None:
    """A prefix without bin/activate and a missing directory are reported by their facts."""
    assert check(prefix="/opt/nowhere", command="x")["prefix"] == "does not exist"
    assert check(prefix=str(tmp_path / "bin"), command="x")["prefix"] == "has no readable bin/activate"
    assert check(data="/opt/nowhere")["data"] == "does not exist"
    assert not check(data=str(tmp_path))["data"]


def test_unknown_accounts_are_listed(check: Check) -> None:
    """Only names without a password entry are printed."""
    assert check(accounts=["root", "ghost.project1"])["unknown_accounts"] == ["ghost.project1"]


@pytest.fixture(params=["unnamed files", "named files"])
def home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home on a file system with files that have no name, and on one without them, such as NFS."""
    directory = tmp_path / "home"
    directory.mkdir()
    os.utime(directory, ns=(OLD_NS, OLD_NS))
    if request.param == "named files":
        real = os.open

        def refuse(path: str, flags: int, mode: int = 0o777) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, mode)

        monkeypatch.setattr(os, "open", refuse)
    return directory


@pytest.mark.parametrize(
    ("code", "problem"), [(0, ""), (errno.EDQUOT, "is full (quota)"), (errno.ENOSPC, "is full"), (errno.EIO, "(EIO)")]
)
def test_the_check_of_a_home_leaves_no_trace(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: int, problem: str
) -> None:
    """A file is written as a job would write its log, and neither the file nor a new modification time is left."""

    def fail(*_: object) -> int:
        raise OSError(code, "as on a full disk")

    if code:
        monkeypatch.setattr(os, "write", fail)

    found = find_home_problem(str(home))

    assert found.endswith(problem)
    assert bool(found) is bool(problem)
    assert not list(home.iterdir())
    assert home.stat().st_mtime_ns == OLD_NS


def test_a_change_of_the_home_during_its_check_keeps_its_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups find what a user has written meanwhile."""
    real = os.write

    def write(file: int, data: bytes) -> int:
        (home / "notes").touch()
        os.utime(home, ns=(NEW_NS, NEW_NS))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)

    assert not find_home_problem(str(home))

    assert [path.name for path in home.iterdir()] == ["notes"]
    assert home.stat().st_mtime_ns >= NEW_NS


def test_a_missing_home_is_a_problem(tmp_path: Path) -> None:
    """Neither kind of file can be written."""
    assert find_home_problem("/home/nowhere") == "does not exist"
    (tmp_path / "file").touch()
    assert find_home_problem(str(tmp_path / "file")) == "does not exist"


def test_a_spool_without_room_is_a_problem(check: Check, commands: Path) -> None:
    """Slurm names its directories; those of other hosts are skipped."""
    put(commands / "scontrol", "echo 'SlurmdSpoolDir          = /proc'; echo 'StateSaveLocation = /nowhere'")
    assert check(spool=True)["spool"] == "/proc (SlurmdSpoolDir) has less than 16 MiB left"

    put(commands / "scontrol", "echo 'SlurmdSpoolDir = /nowhere'")
    assert not check(spool=True)["spool"]


LISTING = r"""
echo 'workq*|up|idle|node1|10.0.0.1'
echo 'workq*|up|down*|node2|node2'
echo 'debug|inact|drained|node3|node3'
"""


@pytest.mark.parametrize(
    ("partition", "up", "states", "usable", "nodes"),
    [
        ("", "up", {"idle": 1, "down*": 1}, 1, {"node1": "10.0.0.1"}),
        ("workq", "up", {"idle": 1, "down*": 1}, 1, {"node1": "10.0.0.1"}),
        ("debug", "inact", {"drained": 1}, 0, {}),
        ("nope", "", {}, 0, {}),
    ],
)
def test_the_nodes_of_a_partition_are_counted(  # noqa: PLR0913, PLR0917 - a table of cases
    check: Check, commands: Path, partition: str, up: str, states: dict[str, int], usable: int, nodes: dict[str, str]
) -> None:
    """Without a name, the site's default partition counts."""
    put(commands / "sinfo", LISTING)

    facts = check(partition=partition)

    assert facts["partition"] == {"up": up, "states": states, "usable": usable}
    assert facts["nodes"] == nodes
    assert facts["partitions"] == ["debug", "workq"]


@pytest.mark.parametrize("answer", ["echo 'Unable to contact slurm controller'; exit 1", "exec /bin/sleep 60"])
def test_a_controller_that_does_not_answer_is_a_fact(check: Check, commands: Path, answer: str) -> None:
    """An sinfo that fails or hangs leaves the partition unknown."""
    put(commands / "sinfo", answer)

    facts = check()

    assert facts["slurm"] == "sinfo does not answer"
    assert "partition" not in facts


@pytest.mark.parametrize(
    ("state", "usable"),
    [
        *(
            (state, True)
            for state in ("idle", "mixed", "allocated", "completing", "planned", "idle~", "idle#", "mixed-")
        ),
        *((state, False) for state in ("idle*", "idle$", "mixed*", "allocated*", "idle@", "idle^", "allocated$")),
        *((state, False) for state in ("down", "down*", "drained", "draining", "drained*", "down$", "drng", "drain")),
        *(
            (state, False)
            for state in ("inval", "unknown", "unk*", "reserved", "maint", "fail", "future", "no_respond")
        ),
        *((state, False) for state in ("perfctrs", "blocked", "power_up", "reboot", "", "*")),
    ],
)
def test_states_of_nodes(state: str, usable: bool) -> None:  # noqa: FBT001 - a table of cases
    """A node that does not respond, drains, reboots or is in maintenance runs no job."""
    assert is_usable(state) is usable


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub's API."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/hub/api/"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(b'{"version": "6"}' if known else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_hubs_api_is_requested_as_by_a_server(check: Check, hub: str) -> None:
    """Only an answer of a hub's API counts."""
    assert not check(hub=f"{hub}/hub/api/")["hub"]
    assert check(hub=f"{hub}/other/")["hub"] == "answers with status 404"
    assert check(hub="http://127.0.0.1:9/hub/api/")["hub"] == "refuses connections"


@pytest.mark.parametrize(
    ("listing", "addresses"),
    [("10.1.2.3\n10.1.2.3\n", {"10.1.2.3"}), ("localhost", {"127.0.0.1", "::1"}), ("no.invalid", {""}), ("", {""})],
)
def test_the_address_of_a_node_comes_from_slurm(
    check: Check, commands: Path, listing: str, addresses: set[str]
) -> None:
    """A name in NodeAddr is resolved on the Slurm host, and nothing else is printed."""
    put(commands / "sinfo", f"[ $2 = --nodes=node1 ] && printf '{listing}'")

    found = check(node="node1")

    assert found.keys() == {"slurmspawner_checks", "address"}
    assert found["address"] in addresses
